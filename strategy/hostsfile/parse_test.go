package hostsfile

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/peer"
)

func TestParseReadsHosts(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		port       int
		want       []string
	}{
		{"nothing", "", 0, nil},
		{"only comments and blank lines", "# a\n\n   \t\n% b\n  # c", 0, nil},
		{"host and port", "10.0.0.1:7946\ndb.test:7947\n", 0, []string{"10.0.0.1:7946", "db.test:7947"}},
		{"no newline at the end", "10.0.0.1:1", 0, []string{"10.0.0.1:1"}},
		{"default port", "10.0.0.1\ndb.test\n10.0.0.2:5\n", 7946, []string{"10.0.0.1:7946", "db.test:7946", "10.0.0.2:5"}},
		{"comment behind a host", "10.0.0.1:1 # the first\n10.0.0.2:1# the second", 0, []string{"10.0.0.1:1", "10.0.0.2:1"}},
		{"CRLF", "10.0.0.1:1\r\n\r\n10.0.0.2:1\r\n", 0, []string{"10.0.0.1:1", "10.0.0.2:1"}},
		{"byte order mark", "\ufeff10.0.0.1:1\n", 0, []string{"10.0.0.1:1"}},
		{"IPv6", "fd00::1\n[fd00::2]\n[fd00::3]:5\nFE80::1%eth0\n::ffff:10.0.0.1", 7946, []string{
			"[fd00::1]:7946", "[fd00::2]:7946", "[fd00::3]:5", "[fe80::1%eth0]:7946", "10.0.0.1:7946"}},
		{"quoted atoms", "'a.example.com'.\n 'b.example.com:5'.\r\n'[fd00::1]:6'.\n", 7946, []string{
			"a.example.com:7946", "b.example.com:5", "[fd00::1]:6"}},
		{"final dot and upper case", "Db.Test.:1\n", 0, []string{"db.test:1"}},
		{"duplicates fold", "a.test:1\nA.TEST.:1\n10.0.0.1:1\n::ffff:10.0.0.1\n", 1, []string{"a.test:1", "10.0.0.1:1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseHosts("hosts", []byte(tc.text), tc.port)
			if err != nil {
				t.Fatal(err)
			}
			want := []peer.Peer{}
			for _, addr := range tc.want {
				want = append(want, peer.Peer{Addr: addr})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseNamesTheLineOfAMistake(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"no port", "10.0.0.1:1\n10.0.0.2", []string{"dir/hosts:2: ", `"10.0.0.2" has no port`, "port"}},
		{"IPv6 without a port", "fd00::1", []string{"dir/hosts:1: ", "has no port"}},
		{"port 0", "\n\na:0", []string{"dir/hosts:3: ", "1..65535"}},
		{"port too large", "a:70000", []string{"1..65535"}},
		{"port is a word", "a:http", []string{"1..65535"}},
		{"no host", ":7946", []string{"the host is empty"}},
		{"the file /etc/hosts", "127.0.0.1 localhost", []string{"not one host"}},
		{"unclosed quote", "'a.test", []string{"quote"}},
		{"quote without its dot", "'a.test'", []string{"the dot"}},
		{"empty atom", "''.", []string{"not one host"}},
		{"unclosed bracket", "[fd00::1", []string{"want host:port"}},
		{"control character", "a\x00b:1", []string{`'\x00'`}},
		{"empty label", "a..b:1", []string{"two dots"}},
		{"two final dots", "a..:1", []string{"two dots"}},
		{"long line", strings.Repeat("a", maxLine+1), []string{"longer than 1024 bytes"}},
		{"several", "a:1\nb\nc:1\nd:0", []string{"dir/hosts:2: ", "dir/hosts:4: "}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			peers, err := parseHosts("dir/hosts", []byte(tc.text), 0)
			if err == nil || peers != nil {
				t.Fatalf("parseHosts = %v, %v, want an error alone", peers, err)
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
		})
	}
}

func TestParseReportsOnlyTheFirstMistakes(t *testing.T) {
	_, err := parseHosts("hosts", bytes.Repeat([]byte("no port here\n"), 1_000_000), 0)
	if err == nil {
		t.Fatal("no error")
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != maxMistakes {
		t.Errorf("%d mistakes reported, want %d", n, maxMistakes)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("10.0.0.1:7946\n# c\r\n'a.test'.\n[fd00::1]\nfe80::1%eth0"), 7946)
	f.Add([]byte("\ufeff::1\n%\n''."), 0)
	f.Fuzz(func(t *testing.T, data []byte, port int) {
		port = int(uint16(port)) //nolint:gosec // any port will do
		peers, err := parseHosts("hosts", data, port)
		if err != nil {
			if peers != nil {
				t.Fatalf("both peers and an error: %v, %v", peers, err)
			}
			return
		}
		seen := make(map[string]bool)
		var again []string
		for _, p := range peers {
			if canonical, err := peer.Addr(p.Addr); err != nil || canonical != p.Addr {
				t.Fatalf("address %q is not canonical: %q, %v", p.Addr, canonical, err)
			}
			if seen[p.Addr] {
				t.Fatalf("address %q twice", p.Addr)
			}
			seen[p.Addr] = true
			again = append(again, p.Addr)
		}
		for _, addr := range again {
			if strings.ContainsRune(addr, '#') {
				t.Fatalf("address %q holds the mark of a comment", addr)
			}
		}
	})
}
