package http

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/internal/conntrack"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// asking returns an asker of a fake server that is there already.
func asking(t testing.TB, f *fake, change func(*Config)) *fetcher {
	t.Helper()
	p := strategytest.Listen("memory")
	f.serve(t, p)
	return askerOn(t, p.Dial, change)
}

func askerOn(t testing.TB, dial strategy.DialFunc, change func(*Config)) *fetcher {
	t.Helper()
	c := DefaultConfig()
	c.URL = "http://peers.test/list?key=secret"
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	conns := conntrack.New(dial)
	a := &fetcher{config: c, place: "http://peers.test/list", clients: clientCache{config: c, conns: conns}}
	t.Cleanup(func() { a.clients.closeIdle(); conns.Close() })
	return a
}

func TestLabelsBecomeThePartsOfAPeer(t *testing.T) {
	f := new(fake)
	f.serves(`[{"targets": ["10.0.0.1:1"], "labels": {"name": "one", "zone": "a", "version": "2", "rack": "r1"}}]`)
	got, err := asking(t, f, func(c *Config) { c.IDLabel, c.ZoneLabel, c.VersionLabel = "name", "zone", "version" }).lookup(t.Context())
	want := []peer.Peer{{Addr: "10.0.0.1:1", ID: "one", Zone: "a", Version: "2", Attrs: "rack=r1"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAnEmptyListIsAnAnswer(t *testing.T) {
	f := new(fake)
	f.serves(" []\n")
	if got, err := asking(t, f, nil).lookup(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWhatIsNoAnswerIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		do    http.HandlerFunc
		want  string
		known string
	}{
		"a failing server":      {do: status(503, "over\x1bloaded\n"), want: `answers 503 Service Unavailable: "over\x1bloaded"`},
		"a long excuse":         {do: status(500, strings.Repeat("é", 300)), want: `é"…`},
		"no permission":         {do: status(401, ""), want: "answers 401 Unauthorized; check token_file"},
		"a wrong path":          {do: status(404, ""), want: "answers 404 Not Found; check the path of url"},
		"another good status":   {do: status(201, "[]"), want: "answers 201"},
		"nothing changed since": {do: status(304, ""), want: "answers 304"},
		"an empty body":         {do: status(200, ""), want: "the list is empty text"},
		"null":                  {do: body("application/json", "null"), want: "want a list of groups"},
		"a page":                {do: body("text/html", "<html>"), want: `the answer is "text/html" and no list`},
		"a bad target":          {do: body("text/html", `[{"targets": ["a:1", "b"]}]`), want: "group 1, target 2", known: "a:1"},
		"half a list": {do: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`[{"targets": ["a:1"]}]`))
		}, want: "read the answer: unexpected EOF"},
		"an endless answer": {do: func(w http.ResponseWriter, _ *http.Request) {
			for block := []byte(strings.Repeat(" ", 1<<16)); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, want: "the answer is larger than 4194304 bytes"},
		"a bomb": {do: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 20 {
				_, _ = z.Write(make([]byte, 1<<20))
			}
			_ = z.Close()
		}, want: "the answer is larger than 4194304 bytes"},
		"a header without end": {do: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
		}, want: "server response headers exceeded"},
		"another server":   {do: redirect("http://other.test/list?key=secret"), want: "redirects to another server, http://other.test/list;"},
		"another port":     {do: redirect("http://peers.test:81/list"), want: "redirects to another server, http://peers.test:81/list;"},
		"another scheme":   {do: redirect("https://peers.test/list"), want: "redirects to another server, https://peers.test/list;"},
		"a file":           {do: redirect("file:///etc/passwd"), want: "redirects to another server"},
		"a round trip":     {do: redirect("/list?key=secret"), want: "more than 5 redirects, the last to http://peers.test/list"},
		"a hidden request": {do: redirect("::"), want: "failed to parse Location header"},
	} {
		t.Run(name, func(t *testing.T) {
			f := new(fake)
			f.set(c.do)
			got, err := asking(t, f, nil).lookup(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "ask http://peers.test/list: ") {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%v shows the query", err)
			}
			if known := strings.Join(strategytest.Addrs(got), " "); known != c.known {
				t.Errorf("%q is known, want %q", known, c.known)
			}
		})
	}
}

// status answers with a status.
func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// body answers with a content type.
func body(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write([]byte(body))
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

func TestARedirectOnTheSameServerIsFollowed(t *testing.T) {
	for _, to := range []string{"/new", "http://peers.test/new", "http://PEERS.test:80/new"} {
		f := new(fake)
		f.set(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/new" {
				_, _ = fmt.Fprint(w, `[{"targets": ["a:1"]}]`)
				return
			}
			redirect(to)(w, r)
		})
		if got, err := asking(t, f, nil).lookup(t.Context()); err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", to, got, err)
		}
	}
}

func TestAnETagSavesTheRepetition(t *testing.T) {
	f := new(fake)
	a := asking(t, f, nil)
	ask := func(state, etag, body, want string, fails bool) {
		t.Helper()
		f.set(func(w http.ResponseWriter, r *http.Request) {
			if etag != "" {
				w.Header().Set("ETag", etag)
			}
			if etag != "" && r.Header.Get("If-None-Match") == etag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write([]byte(body))
		})
		got, err := a.lookup(t.Context())
		if known := strings.Join(strategytest.Addrs(got), " "); known != want || (err != nil) != fails {
			t.Errorf("%s: %q, %v; want %q", state, known, err, want)
		}
	}
	ask("first", `"1"`, `[{"targets": ["a:1"]}]`, "a:1", false)
	ask("unchanged", `"1"`, `not read`, "a:1", false)
	ask("changed", `W/"2"`, `[{"targets": ["b:1"]}]`, "b:1", false)
	ask("unchanged, weak", `W/"2"`, `not read`, "b:1", false)
	ask("faulty", `"3"`, `[{"targets": ["c:1", "?"]}]`, "c:1", true)
	ask("faulty still, not remembered", `"3"`, `[{"targets": ["c:1", "?"]}]`, "c:1", true)
	ask("empty", `"4"`, `[]`, "", false)
	ask("empty still", `"4"`, `not read`, "", false)
	ask("without an ETag", "", `[{"targets": ["a:1"]}]`, "a:1", false)
	ask("a long one", `"`+strings.Repeat("x", 2*maxETag)+`"`, `[]`, "", false)
	ask("not remembered", `"`+strings.Repeat("x", 2*maxETag)+`"`, `[{"targets": ["a:1"]}]`, "a:1", false)
	var sent []string
	for _, r := range f.asked() {
		sent = append(sent, r.Header.Get("If-None-Match"))
	}
	want := []string{"", `"1"`, `"1"`, `W/"2"`, `W/"2"`, "", "", `"4"`, `"4"`, "", ""}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("If-None-Match (-want +got):\n%s", diff)
	}
}

func TestHeadersAndTokensAreSent(t *testing.T) {
	f := new(fake)
	f.serves("[]")
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "first\n")
	a := asking(t, f, func(c *Config) {
		c.TokenFile = file
		c.Headers = map[string]strategy.Secret{"x-scope-orgid": "shop", "Host": "virtual.test"}
	})
	lookup := func() error { _, err := a.lookup(t.Context()); return err }
	if err := lookup(); err != nil {
		t.Fatal(err)
	}
	write(t, file, "second")
	if err := lookup(); err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string]string{"is empty": "\n", "holds more than a token": "a\nb", "larger than": strings.Repeat("x", 1<<17)} {
		write(t, file, content)
		if err := lookup(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want a token that %s", err, what)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := lookup(); err == nil || !strings.Contains(err.Error(), "token_file: open ") {
		t.Errorf("%v, want a missing file", err)
	}
	requests := f.asked()
	if len(requests) != 2 {
		t.Fatalf("%d requests, want none without a token", len(requests))
	}
	for i, want := range []string{"Bearer first", "Bearer second"} {
		r := requests[i]
		if got := r.Header.Get("Authorization"); got != want {
			t.Errorf("Authorization: %q, want %q", got, want)
		}
		if r.Header.Get("X-Scope-Orgid") != "shop" || r.Host != "virtual.test" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("Host %s, headers %v", r.Host, r.Header)
		}
	}
	b := asking(t, f, func(c *Config) { c.Token = "fixed" })
	if _, err := b.lookup(t.Context()); err != nil || f.asked()[2].Header.Get("Authorization") != "Bearer fixed" {
		t.Errorf("%v, %v", err, f.asked()[2].Header)
	}
}

func TestOneConnectionServesManyLookups(t *testing.T) {
	f, p, dials := new(fake), strategytest.Listen("memory"), 0
	f.serves("[]")
	f.serve(t, p)
	a := askerOn(t, func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials++
		return p.Dial(ctx, network, addr)
	}, nil)
	for range 10 {
		if _, err := a.lookup(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if dials > 3 { // on a busy machine a connection may not be back in time for the next request
		t.Errorf("%d connections for 10 lookups, want one", dials)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzHTTP answers with any bytes.
func FuzzHTTP(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
		"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n[{\"targets\": [\"a:1\"]}]\n\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n[{\"targets\": [\"a:1\", \"b\"], \"labels\": {\"zone\": \"a\"}}]",
		"HTTP/1.1 304 Not Modified\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://peers.test/\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: //x\r\n\r\n",
		"HTTP/1.1 503 \xff\r\nContent-Length: 1\r\n\r\n\x1b",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"", "\x16\x03\x01",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		done := make(chan struct{}, 64)
		began := 0
		a := askerOn(t, func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			began++
			go func() {
				defer func() { _ = there.Close(); done <- struct{}{} }()
				if _, err := http.ReadRequest(bufio.NewReader(there)); err == nil {
					_, _ = there.Write(response)
				}
			}()
			return here, nil
		}, func(c *Config) { c.IDLabel, c.ZoneLabel = "name", "zone" })
		for range 2 {
			check(t, a)
		}
		a.clients.closeIdle()
		a.clients.conns.Close()
		for range began {
			<-done
		}
	})
}

// check looks up and checks what comes of it.
func check(t *testing.T, a *fetcher) {
	t.Helper()
	peers, err := a.lookup(t.Context())
	if err == nil && peers == nil {
		t.Error("an answer of nil")
	}
	if err != nil && len(err.Error()) > 100_000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
	seen := make(map[string]bool)
	for _, p := range peers {
		if canonical, err := peer.Addr(p.Addr); err != nil || canonical != p.Addr || seen[p.Addr] {
			t.Errorf("address %q: canonical %q, twice %v, %v", p.Addr, canonical, seen[p.Addr], err)
		}
		seen[p.Addr] = true
	}
}
