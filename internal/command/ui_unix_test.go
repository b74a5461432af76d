//go:build unix

package command

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// served is the answer of a page.
func served(t *testing.T, method, address string, header ...string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if strings.Contains(address, "/events") && res.StatusCode == http.StatusOK {
		line, err := bufio.NewReader(res.Body).ReadString('\n') // of a stream that goes on
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, line
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// printedURL returns the address that convoke ui prints first.
func (p *process) printedURL() string {
	p.t.Helper()
	var printed struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal([]byte(p.await("an address", func(string) bool { return true })), &printed); err != nil {
		p.t.Fatal(err)
	}
	return printed.URL
}

func TestThePageOfAnAgentWithoutAPortIsServedFromItsSocketUntilTheEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.file("a", "gossip")
	startAgent(t, "-c", a, "-o", "json").awaitEvent("members", "a")
	ok(t, "keys", "set", "-c", a, "secret", "value")
	ui := start(t, "ui", "-c", a, "-o", "json")
	address := ui.printedURL()
	if !strings.HasPrefix(address, "http://127.0.0.1:") || len(address) < len("http://127.0.0.1:1/")+26 {
		t.Fatalf("ui printed %q, want a loopback address with a secret", address)
	}
	if code, text := served(t, "GET", address); code != http.StatusOK || !strings.Contains(text, "<title>a · lab</title>") {
		t.Errorf("the page = %d %.200s", code, text)
	}
	if code, line := served(t, "GET", address+"api/v1/events?all"); code != http.StatusOK || line == "" {
		t.Errorf("events = %d %q", code, line)
	}
	root := address[:strings.LastIndex(strings.TrimSuffix(address, "/"), "/")]
	for _, c := range []struct {
		name, method, address string
		header                []string
		want                  int
	}{
		{"the script", "GET", address + "ui/live.js", nil, 200},
		{"without the secret", "GET", root + "/", nil, 404},
		{"the status without the secret", "GET", root + "/api/v1/status", nil, 404},
		{"a name that points here", "GET", address, []string{"Host", "evil.example"}, 421},
		{"a value", "GET", address + "api/v1/members/a/keys/secret", nil, 404},
		{"values", "GET", address + "api/v1/keys?values", nil, 404},
		{"a change", "POST", address + "api/v1/leave", nil, 404},
		{"another method", "POST", address, nil, 405},
	} {
		if code, text := served(t, c.method, c.address, c.header...); code != c.want || strings.Contains(text, "value\"") {
			t.Errorf("%s: %d %s, want %d", c.name, code, text, c.want)
		}
	}
	ui.signal(os.Interrupt)
	if code := ui.awaitExit(); code != exitOK {
		t.Errorf("ui ended with %d", code)
	}
	if _, err := http.Get(address); err == nil {
		t.Error("the page is served after the end of ui")
	}
}

func TestThePageOfAnAgentWithAPortIsItsAddress(t *testing.T) {
	s := newSite(t)
	a := s.file("a", "gossip")
	text, err := os.ReadFile(a)
	if err == nil {
		err = os.WriteFile(a, append(text, "http: {listen: \"127.0.0.1:0\"}\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	startAgent(t, "-c", a, "-o", "json").awaitEvent("members", "a")
	ok(t, "wait", "-c", a)
	bin := filepath.Join(s.dir, "bin") // a browser that writes down what it is to open
	script := "#!/bin/sh\necho \"$1\" >" + filepath.Join(s.dir, "opened") + "\n"
	for _, name := range []string{"xdg-open", "open"} {
		if err := os.MkdirAll(bin, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	var address string
	for late := time.Now().Add(deadline); ; { // the port may be listened on a moment after the node runs
		var d struct{ Node struct{ HTTP string } }
		if err := json.Unmarshal([]byte(ok(t, "status", "-c", a, "-o", "json")), &d); err != nil {
			t.Fatal(err)
		}
		if address = "http://" + d.Node.HTTP + "/"; d.Node.HTTP != "" || time.Now().After(late) {
			break
		}
	}
	if got := ok(t, "ui", "-c", a, "--open"); got != address+"\n" {
		t.Errorf("ui printed %q, want %q", got, address)
	}
	if opened, err := os.ReadFile(filepath.Join(s.dir, "opened")); err != nil || string(opened) != address+"\n" {
		t.Errorf("opened %q, %v", opened, err)
	}
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := convoke(t, "ui", "-c", a, "--open"); got.code != exitFailed || !strings.Contains(got.stderr, "open the address by hand") {
		t.Errorf("with a browser that fails: %+v", got)
	}
}

func TestThePageIsServedOnLoopbackAlone(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "10.0.0.1:80", "localhost", ":80"} {
		if got := convoke(t, "ui", "-c", "x", "--listen", listen); got.code != exitUsage || !strings.Contains(got.stderr, "want a loopback address and a port") {
			t.Errorf("--listen %s = %+v", listen, got)
		}
	}
}
