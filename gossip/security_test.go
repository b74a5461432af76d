package gossip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip/transport"
)

// securedHost is a host of a network in memory whose streams are secured.
type securedHost struct {
	transport.Transport
	transport.TCP // only for what it reports of its security
}

func onHost(host transport.Transport, s transport.Security) transport.Transport {
	return securedHost{host, transport.TCP{Security: s}}
}

func (h securedHost) Listen(addr string) (net.Listener, error) { return h.Transport.Listen(addr) }

func (h securedHost) Secure(ctx context.Context, raw net.Conn) (transport.Conn, error) {
	return h.Security.Server(ctx, raw)
}

func (h securedHost) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	raw, err := h.Transport.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return h.Security.Client(ctx, raw)
}

// fleet is a cluster whose nodes are secured, and what they have lost.
type fleet struct {
	nodes []*Node
	logs  []*journal

	mu   sync.Mutex
	lost []string
}

// startFleet starts nodes a, b, c … that all see each other.
func startFleet(t *testing.T, network *transport.Memory, secure func(name string) transport.Security, names ...string) *fleet {
	t.Helper()
	f := &fleet{}
	for _, name := range names {
		log := new(journal)
		n, err := Start(Config{Name: name, ClusterID: "test", Listen: name + ":7946", Transport: onHost(network.Host(name), secure(name)),
			Log: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info})})
		must(t, err)
		t.Cleanup(n.Stop)
		if len(f.nodes) > 0 {
			must(t, n.Join(t.Context(), f.nodes[0].Addr()))
		}
		f.nodes, f.logs = append(f.nodes, n), append(f.logs, log)
	}
	settle(30 * time.Second)
	wantUp(t, f.nodes, strings.Join(names, " "))
	for _, n := range f.nodes {
		go f.watch(t, n)
	}
	return f
}

func (f *fleet) watch(t *testing.T, n *Node) {
	for c := range n.Watch(t.Context()) {
		for _, m := range c.Lost {
			f.mu.Lock()
			f.lost = append(f.lost, n.Name()+" lost "+m.Name)
			f.mu.Unlock()
		}
	}
}

func (f *fleet) wantNothingLost(t *testing.T, when string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.lost) > 0 {
		t.Errorf("%s: %v", when, f.lost)
		f.lost = nil
	}
}

func (f *fleet) expired() (n uint64) {
	for _, one := range f.nodes {
		n += one.Counters().StreamsExpired
	}
	return n
}

// openEcho has a node listen for a protocol and dial it from another one.
func openEcho(t *testing.T, from, to *Node) net.Conn {
	t.Helper()
	l, err := to.Listen("echo")
	must(t, err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	c, err := from.Dial(t.Context(), to.Name(), "echo")
	must(t, err)
	return c
}

func TestAuthorityAndCertificatesAreReplacedWithoutAMemberMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := newAuthority(t), newAuthority(t)
		files := map[string]pemFiles{}
		network := transport.NewMemory()
		network.Delay(time.Millisecond)
		names := []string{"a", "b", "c", "d", "e"}
		f := startFleet(t, network, func(name string) transport.Security {
			files[name] = old.files(name, 50*time.Minute, old)
			return load(t, files[name])
		}, names...)
		stream := openEcho(t, f.nodes[0], f.nodes[1])
		step := func(what string, signer *authority, trusts ...*authority) {
			for _, name := range names {
				signer.write(files[name], name, 50*time.Minute, trusts...)
				settle(time.Second)
			}
			settle(10 * time.Second)
			f.wantNothingLost(t, what)
			for i, n := range f.nodes {
				s := n.Security()
				if s.Kind != transport.KindTLS || !slices.Equal(s.Names, names[i:i+1]) || len(s.Authorities) != len(trusts) ||
					time.Since(s.TakenOver) > 20*time.Second || s.Err != nil || s.Expiry != ExpiryNone {
					t.Errorf("%s: %s has %+v", what, n.Name(), s)
				}
			}
			wantUp(t, f.nodes, strings.Join(names, " "))
		}
		step("both authorities", old, old, next)
		step("certificates of the new one", next, old, next)
		if n := f.expired(); n != 0 {
			t.Errorf("%d streams were closed before the old authority was taken away", n)
		}
		step("the new authority alone", next, next)
		if f.expired() == 0 {
			t.Error("streams by certificates of the authority that was taken away stay open")
		}
		if _, err := stream.Read(make([]byte, 1)); err == nil {
			t.Error("a stream between members outlived the authority of its certificates")
		}
		again, err := f.nodes[0].Dial(t.Context(), "b", "echo")
		must(t, err)
		must(t, again.Close())
	})
}

func load(t *testing.T, f pemFiles) *transport.TLS {
	t.Helper()
	s, err := transport.NewTLS(f.path("cert.pem"), f.path("key.pem"), f.path("ca.pem"))
	must(t, err)
	return s
}

func TestAMemberWhoseCertificateHasEndedIsOutAndOneThatReplacedItStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		files := map[string]pemFiles{}
		lives := map[string]time.Duration{"a": 55 * time.Minute, "b": 20 * time.Minute, "c": 20 * time.Minute, "d": 55 * time.Minute}
		f := startFleet(t, transport.NewMemory(), func(name string) transport.Security {
			files[name] = a.files(name, lives[name], a)
			return load(t, files[name])
		}, "a", "b", "c", "d")
		var mu sync.Mutex
		var seen []Expiry
		go func() {
			for s := range f.nodes[2].WatchSecurity(t.Context()) {
				mu.Lock()
				seen = append(seen, s.Expiry)
				mu.Unlock()
			}
		}()
		settle(10 * time.Minute)
		a.write(files["b"], "b", 45*time.Minute, a)
		settle(9 * time.Minute)
		f.wantNothingLost(t, "before the end")
		if s := f.nodes[2].Security(); s.Expiry != ExpirySoon {
			t.Errorf("a minute before the end: %+v", s)
		}
		settle(3 * time.Minute)
		wantUp(t, []*Node{f.nodes[0], f.nodes[1], f.nodes[3]}, "a b d")
		if s := f.nodes[2].Security(); s.Expiry != ExpiryOver {
			t.Errorf("after the end: %+v", s)
		}
		if log := f.logs[2].String(); strings.Count(log, "ends soon") != 1 || strings.Count(log, "has ended") != 1 {
			t.Errorf("the node without a new certificate logged:\n%s", log)
		}
		f.mu.Lock()
		for _, l := range f.lost {
			if !strings.Contains(l, "c") {
				t.Errorf("%s, which has a certificate", l)
			}
		}
		f.mu.Unlock()
		mu.Lock()
		if want := []Expiry{ExpiryNone, ExpirySoon, ExpiryOver}; !slices.Equal(seen, want) {
			t.Errorf("WatchSecurity yielded %q, want %q", seen, want)
		}
		mu.Unlock()
		a.write(files["c"], "c", 30*time.Minute, a)
		settle(30 * time.Second)
		wantUp(t, f.nodes, "a b c d")
	})
}

func TestABrokenFileIsLoggedOnceAndShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		files := a.files("a", 55*time.Minute, a)
		f := startFleet(t, transport.NewMemory(), func(string) transport.Security { return load(t, files) }, "a")
		n := f.nodes[0]
		was := n.Security()
		a.write(files, "another", 55*time.Minute, a)
		settle(10 * time.Minute)
		s := n.Security()
		if s.Err == nil || !strings.Contains(s.Err.Error(), `"another"`) || s.Failed.IsZero() || s.TakenOver != was.TakenOver || s.Names[0] != "a" {
			t.Errorf("Security = %+v, want the error beside what was in use", s)
		}
		if got := strings.Count(f.logs[0].String(), "cannot be taken over"); got != 1 {
			t.Errorf("it was logged %d times, want once:\n%s", got, f.logs[0])
		}
		a.write(files, "a", 55*time.Minute, a)
		n.RefreshSecurity()
		settle(time.Second)
		if s := n.Security(); s.Err != nil || !s.Failed.IsZero() || !s.TakenOver.After(was.TakenOver) {
			t.Errorf("Security = %+v, want no error", s)
		}
	})
}

func TestACertificateOfAnotherNameDoesNotStart(t *testing.T) {
	a := newAuthority(t)
	_, err := Start(Config{Name: "x", ClusterID: "test", Listen: "127.0.0.1:0", Transport: transport.TCP{Security: a.node("y", time.Hour, a)}})
	if err == nil || !strings.Contains(err.Error(), `"y"`) || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("Start = %v, want both names", err)
	}
}

func TestPreSharedKeysAreReplacedWithoutAMemberMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
		psks := map[string]*transport.PSK{}
		names := []string{"a", "b", "c", "d", "e"}
		f := startFleet(t, transport.NewMemory(), func(name string) transport.Security {
			p, err := transport.NewPSK(key(1))
			must(t, err)
			psks[name] = p
			return p
		}, names...)
		stream := openEcho(t, f.nodes[0], f.nodes[1])
		step := func(what string, keys ...[]byte) {
			for i, name := range names {
				must(t, psks[name].SetKeys(keys...))
				f.nodes[i].RefreshSecurity()
				settle(time.Second)
			}
			settle(10 * time.Second)
			f.wantNothingLost(t, what)
			wantUp(t, f.nodes, strings.Join(names, " "))
		}
		step("add", key(1), key(2))
		step("use", key(2), key(1))
		if n := f.expired(); n != 0 {
			t.Errorf("%d streams were closed before the old key was removed", n)
		}
		step("remove", key(2))
		if f.expired() == 0 {
			t.Error("streams of a key that was removed stay open")
		}
		if _, err := stream.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a stream between members by the key that was removed: %v", err)
		}
		s := f.nodes[0].Security()
		if s.Kind != transport.KindPSK || len(s.KeyIDs) != 1 || strings.Count(f.logs[0].String(), "pre-shared keys taken into use") != 4 {
			t.Errorf("Security = %+v; it logged\n%s", s, f.logs[0])
		}
	})
}

func TestPlainStreamsAreReportedAsPlain(t *testing.T) {
	n, err := Start(Config{Name: "x", ClusterID: "test", Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(n.Stop)
	if s := n.Security(); s.Kind != transport.KindPlain || !s.TakenOver.IsZero() {
		t.Errorf("Security = %+v, want plain", s)
	}
}
