package peer_test

import (
	"strings"
	"testing"

	"github.com/goconvoke/convoke/peer"
)

func TestAddrIsCanonical(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"10.0.0.1:7946", "10.0.0.1:7946"},
		{"[::ffff:10.0.0.1]:7946", "10.0.0.1:7946"},
		{"[FD00:0:0:0::1]:80", "[fd00::1]:80"},
		{"[fd00::1%eth0]:80", "[fd00::1]:80"},
		{"[fe80::1%eth0]:80", "[fe80::1%eth0]:80"},
		{"DB-1.Example.com.:07946", "db-1.example.com:7946"},
		{"localhost:65535", "localhost:65535"},
	} {
		got, err := peer.Addr(c.in)
		if err != nil || got != c.want {
			t.Errorf("Addr(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
		if again, err := peer.Addr(got); err != nil || again != got {
			t.Errorf("Addr(Addr(%q)) = %q, %v, want it unchanged", c.in, again, err)
		}
	}
}

func TestAddrRefusesWhatCannotBeDialled(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "want host:port"},
		{"10.0.0.1", "want host:port"},
		{":7946", "the host is empty"},
		{"a:0", "port"},
		{"a:70000", "70000"},
		{"a:http", `"http" is not a number`},
		{"a:-1", "port"},
		{"a b:1", "holds ' '"},
		{"a..b:1", "empty part"},
		{"a..:1", "empty part"},
		{".a:1", "empty part"},
		{strings.Repeat("a", 254) + ":1", "longer than 253"},
	} {
		if got, err := peer.Addr(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Addr(%q) = %q, %v, want an error with %q", c.in, got, err, c.want)
		}
	}
}

func TestStringNamesThePeer(t *testing.T) {
	for _, c := range []struct {
		in   peer.Peer
		want string
	}{
		{peer.Peer{Addr: "a:1"}, "a:1"},
		{peer.Peer{Addr: "a:1", ID: "n1"}, "n1@a:1"},
	} {
		if got := c.in.String(); got != c.want {
			t.Errorf("%#v.String() = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzAddr(f *testing.F) {
	for _, seed := range []string{"10.0.0.1:1", "[fe80::1%eth0]:80", "DB.:7946", "00..:1", "[::ffff:1.2.3.4]:065535"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := peer.Addr(in)
		if err != nil {
			return
		}
		if again, err := peer.Addr(got); err != nil || again != got {
			t.Errorf("Addr(%q) = %q, and of that %q, %v, want it unchanged", in, got, again, err)
		}
	})
}
