//go:build unix

package dns

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/dnstest"
)

func TestParseResolvConf(t *testing.T) {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, "nameserver 10.0.0.%d\n", i)
	}
	many.WriteString("search" + strings.Repeat(" a.test", 100) + "\n")
	for name, tc := range map[string]struct {
		text string
		want resolverSetup
		err  string
	}{
		"a pod": {
			"search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
			resolverSetup{[]string{"10.96.0.10:53"}, []string{"shop.svc.cluster.local", "svc.cluster.local", "cluster.local"}, 5}, "",
		},
		"comments, IPv6, final dots": {
			"# nameserver 10.0.0.1\n; x\nnameserver fd00::53\nnameserver fe80::1%eth0\nsearch A.test. .\n",
			resolverSetup{[]string{"[fd00::53]:53", "[fe80::1%eth0]:53"}, []string{"a.test"}, 1}, "",
		},
		"empty":         {"", resolverSetup{[]string{"127.0.0.1:53", "[::1]:53"}, nil, 1}, ""},
		"no good line":  {"nameserver dns.test\n", resolverSetup{}, "no nameserver line holds an address"},
		"a bad line":    {"nameserver dns.test\nnameserver 10.0.0.1\noptions ndots:x ndots:-3\n", resolverSetup{[]string{"10.0.0.1:53"}, nil, 0}, ""},
		"many of all":   {many.String(), resolverSetup{nameservers(maxServers), slices.Repeat([]string{"a.test"}, maxSearch), 1}, ""},
		"binary":        {"nameserver \x00\xff\n", resolverSetup{}, "no nameserver line"},
		"a bad search":  {"nameserver 10.0.0.1\nsearch a..b ok.test x/y\n", resolverSetup{[]string{"10.0.0.1:53"}, []string{"ok.test"}, 1}, ""},
		"ndots too big": {"nameserver 10.0.0.1\noptions ndots:99\n", resolverSetup{[]string{"10.0.0.1:53"}, nil, 15}, ""},
	} {
		got, err := parseResolvConf([]byte(tc.text))
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: error %v, want %q in it", name, err, tc.err)
			}
			continue
		}
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(resolverSetup{})); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func nameservers(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("10.0.0.%d:53", i))
	}
	return all
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// age makes a file look as if it was written a while ago, so that its time shows a change.
func age(t *testing.T, path string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestResolvConfIsReadAgainWhenItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	r := &resolvConf{path: path}
	expect := func(what, server string) {
		t.Helper()
		s, err := r.readCurrent()
		if err != nil || len(s.servers) != 1 || s.servers[0] != server+":53" {
			t.Errorf("%s: %v and error %v, want %s", what, s.servers, err, server)
		}
	}
	if _, err := r.readCurrent(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "set servers") {
		t.Errorf("without the file: %v, want an error that names it and the way out", err)
	}
	write(t, path, "nameserver 10.0.0.1\n")
	expect("it is there now", "10.0.0.1")
	write(t, path, "nameserver 10.0.0.2\n")
	expect("the same size, within one tick perhaps", "10.0.0.2")
	write(t, path, "nameserver 10.0.0.33\n")
	age(t, path, time.Hour)
	expect("another size", "10.0.0.33")
	write(t, path+".new", "nameserver 10.0.0.44\n")
	age(t, path+".new", time.Hour)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	expect("another inode", "10.0.0.44")

	for what, spoil := range map[string]func() error{
		"gone":        func() error { return nil },
		"a directory": func() error { return os.Mkdir(path, 0o700) },
		"a pipe":      func() error { return syscall.Mkfifo(path, 0o600) },
		"too large":   func() error { return os.WriteFile(path, make([]byte, maxResolvConf+1), 0o600) },
		"bad":         func() error { return os.WriteFile(path, []byte("nameserver x"), 0o600) },
	} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		expect(what, "10.0.0.44")
		if r.stale == nil {
			t.Errorf("%s: no line reports that the content is old", what)
		}
	}
}

// newResolver returns a resolver for one name with a resolv.conf.
func newResolver(s *dnstest.Server, path string, log hclog.Logger) *resolver {
	f := &resolver{family: IPv4, source: defaultSource(), env: strategy.Env{Log: log, Dial: s.Dial, Self: func() []peer.Peer { return nil }}}
	f.conf.path = path
	f.subjects = func(resolverSetup) ([]subject, error) { return []subject{{name: "peers", port: 1}}, nil }
	return f
}

func TestServersAndSearchNamesComeFromResolvConf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		var logged strings.Builder
		f := newResolver(s, path, hclog.New(&hclog.LoggerOptions{Output: &logged}))
		if _, err := f.findPeers(t.Context()); err == nil {
			t.Error("no error without servers")
		}
		host, _, _ := net.SplitHostPort(s.Addr())
		write(t, path, "nameserver "+host+"\nsearch test\n")
		for _, spoil := range []bool{false, true, true} {
			if spoil {
				os.Remove(path)
			}
			if peers, err := f.findPeers(t.Context()); err != nil || len(peers) != 2 {
				t.Errorf("%v and error %v, want the two of peers.test", peers, err)
			}
		}
		if n := strings.Count(logged.String(), "cannot be read"); n != 1 {
			t.Errorf("a file that is gone was logged %d times, want once:\n%s", n, &logged)
		}
	})
}
