package mlnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

func TestAddressesAreRead(t *testing.T) {
	for _, c := range []struct{ listen, advertise, wantListen, wantAdvertise, wantErr string }{
		{":7946", "", "0.0.0.0:7946", "", ""},
		{"[::]:0", "db-1.example.com", "[::]:0", "db-1.example.com:0", ""},
		{"127.0.0.1:1", "10.0.0.1:2", "127.0.0.1:1", "10.0.0.1:2", ""},
		{"127.0.0.1:1", "fd00::1", "127.0.0.1:1", "[fd00::1]:0", ""},
		{"127.0.0.1:1", "[fd00::1]:5", "127.0.0.1:1", "[fd00::1]:5", ""},
		{"[fe80::1%eth0]:1", "", "", "", "zone"},
		{"127.0.0.1:port", "", "", "", "0..65535"},
		{"127.0.0.1:1", "a b", "", "", "advertised address"},
	} {
		listen, err1 := parseListen(c.listen)
		public, err2 := parseAdvertise(c.advertise)
		err := errors.Join(err1, err2)
		if c.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("%q, %q: %v, want an error with %q", c.listen, c.advertise, err, c.wantErr)
			}
			continue
		}
		got := ""
		if public.host != "" {
			got = public.String()
		}
		if err != nil || listen.String() != c.wantListen || got != c.wantAdvertise {
			t.Errorf("%q, %q = %v, %v, %v, want %s, %s", c.listen, c.advertise, listen, got, err, c.wantListen, c.wantAdvertise)
		}
	}
}

func TestLogIsDampedAndClean(t *testing.T) {
	out := &strings.Builder{}
	d := NewDamper(hclog.New(&hclog.LoggerOptions{Output: out, Level: hclog.Info}))
	for i := range 1000 {
		fmt.Fprintf(d, "[ERR] memberlist: discarding packet with unacceptable label: from=10.0.0.%d:%d\n", i%250, i)
		d.Warn("a node of another cluster called", "addr", i)
	}
	fmt.Fprintf(d, "[DEBUG] memberlist: Stream connection\n")
	fmt.Fprintf(d, "[WARN] memberlist: name\n[ERROR] forged \x1b[31m line\n")
	if got := strings.Count(out.String(), "\n"); got != 3 {
		t.Errorf("%d lines were logged, want 3:\n%s", got, out.String())
	}
	if strings.Count(out.String(), "[WARN]  discarding packet") != 1 || strings.Count(out.String(), "\x1b") != 0 {
		t.Errorf("want one warning and no control characters:\n%s", out.String())
	}
	before := strings.Count(out.String(), "\n")
	for i := range 10 * maxKinds {
		d.Warn("kind " + strings.Repeat("x", i))
	}
	if more := strings.Count(out.String(), "\n") - before; more > maxKinds {
		t.Errorf("%d lines of %d kinds were logged, want at most %d", more, 10*maxKinds, maxKinds)
	}
}

func TestReadLabelTakesNothingBeyondTheHeader(t *testing.T) {
	r := bytes.NewReader(append(labelHeader("blue"), "rest"...))
	label, err := readLabel(r)
	rest, _ := io.ReadAll(r)
	if err != nil || label != "blue" || string(rest) != "rest" {
		t.Errorf("readLabel = %q, %v, leaves %q", label, err, rest)
	}
	for _, s := range []string{"", "\xf4", "\xf4\x05blue", "x"} {
		if _, err := readLabel(strings.NewReader(s)); err == nil {
			t.Errorf("readLabel(%q) = nil, want an error", s)
		}
	}
}

func TestWaitGrowsToItsBound(t *testing.T) {
	c := &Node{First: firstWait}
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 99: longestWait} {
		got := c.bindBackoff(n)
		if got < want*8/10 || got > want*12/10 || got > longestWait {
			t.Errorf("wait(%d) = %v, want %v ±20 %%, at most %v", n, got, want, longestWait)
		}
	}
}

// alone is a memberlist that knows no member.
type alone struct{ *memberlist.Memberlist }

func (a alone) Join(target string) error {
	_, err := a.Memberlist.Join([]string{target})
	return err
}
func (alone) List() []peer.Peer           { return nil }
func (alone) Has(netip.AddrPort) bool     { return false }
func (alone) Any() (netip.AddrPort, bool) { return netip.AddrPort{}, false }
func (alone) Done() <-chan struct{}       { return nil }

// A second address that nothing on this host knows of leads to ourselves all the same: the
// stream that comes in is the one that went out.
func TestSelfIsRecognisedByItsOwnStream(t *testing.T) {
	for _, keys := range [][][]byte{nil, {make([]byte, 32)}} {
		n, err := New(Config{Kind: "test", Node: connector.NodeConfig{Cluster: "test", Name: "a", Listen: "127.0.0.1:0"},
			Start: func(b Binding) (Cluster, error) {
				conf, err := ListConfig(b, "local", "test", keys)
				if err != nil {
					return nil, err
				}
				conf.Name = "a"
				ml, err := memberlist.Create(conf)
				return alone{ml}, err
			}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := n.bindSession(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		addr := s.bound()
		s.host, s.port, s.public = netip.MustParseAddr("192.0.2.1"), 1, netip.MustParseAddrPort("192.0.2.1:1")
		n.session = s
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := n.Connect(ctx, peer.Peer{Addr: addr.String()}); !errors.Is(err, connector.ErrSelf) {
			t.Errorf("Connect to ourselves = %v, want ErrSelf", err)
		}
	}
}

// A member may carry any printable name; none of them may take the place of a join that is under way.
func TestNamesOfJoinsAreNoNamesOfNodes(t *testing.T) {
	var got string
	s := &session{cluster: recorder{join: func(target string) error { got = target; return nil }}, transport: &Transport{attempts: map[string]*attempt{}}}
	if err := s.exchangeState(t.Context(), netip.MustParseAddrPort("127.0.0.1:1")); err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(got, "/")
	if CheckName(name) == nil {
		t.Errorf("the join is named %q, which a node may be named too", name)
	}
}

type recorder struct {
	alone
	join func(string) error
}

func (r recorder) Join(target string) error { return r.join(target) }

// lateContext is past its deadline, and its timer has not fired.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestASocketThatNoticesTheDeadlineFirstReportsTheEndOfTheContext(t *testing.T) {
	ctx := lateContext{t.Context()}
	err := explainJoinError(ctx, &attempt{ctx: ctx, dialErr: os.ErrDeadlineExceeded}, os.ErrDeadlineExceeded)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error of a join is %v, want %v", err, context.DeadlineExceeded)
	}
}
