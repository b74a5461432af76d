package multicast

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// deafToGroups makes a host that hears unicasts alone, as in most clouds.
func deafToGroups(l *lan, n int) *host {
	i := iface("eth0", 1, n, false)
	i.Flags &^= net.FlagMulticast
	return l.host(n, i)
}

func TestASeedAndItsGuestHearEachOtherWithoutMulticast(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		resolver := new(strategytest.Resolver)
		resolver.Answer("a.test", netip.MustParseAddr("10.0.1.1"))
		plain, seeded := DefaultConfig(), DefaultConfig()
		plain.Seeds = []string{"10.0.1.1"} // itself: does no harm
		seeded.Seeds = []string{"a.test"}
		a := deafToGroups(l, 1).run(t, plain, "a", "0.0.0.0:7946")
		n := newTestNode("b", "0.0.0.0:7946")
		n.env.Resolver = resolver
		b := deafToGroups(l, 2).runEnv(t, seeded, n)
		time.Sleep(settled)
		wantView(t, a, peerB)
		wantView(t, b, peerA)
		time.Sleep(10 * time.Minute)
		wantView(t, b, peerA)
		resolver.ServFail("a.test")
		time.Sleep(2 * time.Minute)
		calls := b.since(0)
		if f, ok := last(calls, "fail"); !ok || !strings.Contains(f.err.Error(), "a.test") {
			t.Errorf("last failure %v, want it to name the seed", f.err)
		}
		if c := calls[len(calls)-2]; c.kind != "add" || !slices.Contains(c.peers, peerA) {
			t.Errorf("call %v, want an Add of a, which is still heard", c)
		}
		b.stop()
		wantView(t, a)
	})
}

func TestAnswersToOneAddressAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		a := h.run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		time.Sleep(settled)
		codec := testCodec(t, "orders")
		p := packet{Instance: 7, Generation: 1, Seq: 1, Flags: flagHello, Node: "x", Addrs: []string{"10.0.1.99:1"}}
		l.inject(codec.encode(nil, &p))
		time.Sleep(2 * time.Second) // the burst for a newcomer
		before := h.count()
		for range 50 {
			p.Seq++
			l.inject(codec.encode(nil, &p))
		}
		synctest.Wait()
		if n := h.count() - before; n > 3 {
			t.Errorf("%d packets sent for 50 requests at once, want one answer", n)
		}
		_ = a
	})
}

func TestBroadcastsReplaceTheGroup(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		c := DefaultConfig()
		c.Broadcast, c.IPv6Group = true, ""
		_, _, a, _ := pair(t, l, c)
		multi := DefaultConfig()
		l.host(3).run(t, multi, "c", "0.0.0.0:7946")
		time.Sleep(settled)
		wantView(t, a, peerB) // c sends to a group that a has not joined
	})
}

func TestBroadcastsAndOtherGroupsAreDroppedByWhoUsesAGroup(t *testing.T) {
	c := DefaultConfig()
	codec := testCodec(t, "orders")
	s := newFilter(c, codec, 1)
	eth0 := iface("eth0", 1, 1, true)
	s.setInterfaces([families][]netInterface{{eth0}, {eth0}}, []netInterface{eth0, iface("eth1", 2, 1, true)})
	seq := uint64(0)
	for _, k := range []struct {
		name  string
		to    string
		iface int
		want  dropReason
	}{
		{"our group", "233.252.1.32", 1, accepted},
		{"our group by another interface", "233.252.1.32", 2, badDestination},
		{"another group", "233.252.1.33", 1, badDestination},
		{"limited broadcast", "255.255.255.255", 1, badDestination},
		{"broadcast of our network", "10.0.1.255", 1, badDestination},
		{"ourselves", "10.0.1.1", 1, accepted},
		{"unknown", "", 0, accepted},
	} {
		seq++
		p := &packet{Instance: 7, Seq: seq, Node: "x"}
		to, _ := netip.ParseAddr(k.to)
		d := datagram{data: codec.encode(nil, p), from: stranger, to: to, iface: k.iface}
		if _, v := s.checkPacket(d, epoch); v != k.want {
			t.Errorf("%s: %v, want %v", k.name, v, k.want)
		}
	}
}

func TestListenReportsEveryDatagramAndSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		s := strategytest.New(t, Kind, DefaultConfig(), strategy.Env{ClusterID: "orders"}).(*discoverer)
		s.network = h
		ctx, cancel := context.WithCancel(t.Context())
		var got []Heard
		done := make(chan error, 1)
		go func() { done <- s.listenUntil(ctx, func(h Heard) { got = append(got, h) }) }()
		synctest.Wait()
		hello := packet{Instance: 7, Generation: 3, Seq: 1, Node: "x", Addrs: []string{"10.0.1.9:1"}}
		bye := packet{Instance: 7, Generation: 3, Seq: 2, Flags: flagLeave, Node: "x"}
		for _, b := range [][]byte{
			testCodec(t, "orders").encode(nil, &hello), testCodec(t, "orders").encode(nil, &bye),
			testCodec(t, "stock").encode(nil, &hello), []byte("heartbeat::x"), []byte("junk"), make([]byte, 2000),
		} {
			l.inject(b)
		}
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("listen = %v, want it to end with its context", err)
		}
		base := Heard{At: time.Now(), From: stranger, Interface: "eth0", Family: "ipv4"}
		with := func(f func(h *Heard)) Heard { h := base; f(&h); return h }
		want := []Heard{
			with(func(h *Heard) {
				h.Size, h.Verdict, h.Cluster, h.Node, h.Addrs, h.Generation, h.Seq = 62, "accepted", true, "x", hello.Addrs, 3, 1
			}),
			with(func(h *Heard) {
				h.Size, h.Verdict, h.Cluster, h.Node, h.Generation, h.Seq, h.Leave = 50, "accepted", true, "x", 3, 2, true
			}),
			with(func(h *Heard) { h.Size, h.Verdict = 62, "cluster" }),
			with(func(h *Heard) { h.Size, h.Verdict = 12, "libcluster" }),
			with(func(h *Heard) { h.Size, h.Verdict = 4, "magic" }),
			with(func(h *Heard) { h.Size, h.Verdict = maxPacket+1, "size" }),
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		if h.count() != 0 {
			t.Errorf("%d packets sent, want none", h.count())
		}
	})
}

func TestSilenceIsExplainedOnceAndItsEndToo(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		c := DefaultConfig()
		c.Keys = []strategy.Key{testKey(1)}
		a := l.host(1).run(t, c, "a", "0.0.0.0:7946")
		wrong := c
		wrong.Keys = []strategy.Key{testKey(2)}
		l.host(2).run(t, wrong, "b", "0.0.0.0:7946")
		time.Sleep(5 * time.Minute)
		text := a.log.String()
		if n := strings.Count(text, "[WARN]"); n != 1 {
			t.Errorf("%d warnings in 5 minutes of silence, want 1:\n%s", n, text)
		}
		for _, want := range []string{"no peer heard", "eth0 (ipv4)", "233.252.1.32", "sent=", " key", "compare keys"} {
			if !strings.Contains(text, want) {
				t.Errorf("the log lacks %q:\n%s", want, text)
			}
		}
		if d := a.strategy.diagnose(); !strings.Contains(d.String(), "0 peers heard") || !strings.Contains(d.hint(), "keys") {
			t.Errorf("Diagnose() = %q", d)
		}
		l.host(3).run(t, c, "c", "0.0.0.0:7946")
		time.Sleep(5 * time.Second)
		if !strings.Contains(a.log.String(), "peers are heard again") {
			t.Errorf("the log does not have that peers are heard again")
		}
	})
}

func TestNodesThatShareANameAreWarnedOf(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.host(1).run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		l.host(2).run(t, DefaultConfig(), "b", "0.0.0.0:7946")
		time.Sleep(time.Millisecond)
		l.host(3).run(t, DefaultConfig(), "b", "0.0.0.0:7946")
		time.Sleep(5 * time.Minute)
		wantView(t, a, peer.Peer{ID: "b", Addr: "10.0.1.3:7946"})
		if text := a.log.String(); strings.Count(text, "two nodes use one name") != 1 || !strings.Contains(text, "10.0.1.2") && !strings.Contains(text, "fe80::1:2") {
			t.Errorf("the log lacks one warning about the second b:\n%s", text)
		}
	})
}

func TestPacketsOfTheClusterThatAreDroppedAreWarnedOfOnce(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		_, _, a, _ := pair(t, l, DefaultConfig())
		keyed := DefaultConfig()
		keyed.Keys = []strategy.Key{testKey(1)}
		l.host(3).run(t, keyed, "c", "0.0.0.0:7946")
		time.Sleep(5 * time.Minute)
		if text := a.log.String(); strings.Count(text, "packets of this cluster were dropped") != 1 {
			t.Errorf("the log lacks one warning about the node with a key:\n%s", text)
		}
	})
}

func TestTheLogIsBoundedWhateverIsSent(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.host(1).run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		synctest.Wait()
		codec, before := testCodec(t, "orders"), len(a.log.String())
		for second := range uint64(10) {
			for i := range uint64(maxRate) {
				n := second*maxRate + i + 1
				l.inject(codec.encode(nil, &packet{Instance: n << 8, Seq: 1, Generation: int64(n), Node: "x", Addrs: []string{"10.0.1.9:1"}}))
			}
			time.Sleep(time.Second)
		}
		if n := len(a.log.String()) - before; n > 10*4096 {
			t.Errorf("%d bytes logged in 10s, want 4 KiB a second at most", n)
		}
	})
}

func TestHintsNameTheLikelyCause(t *testing.T) {
	for _, c := range []struct {
		d    diagnosis
		want string
	}{
		{diagnosis{Peers: 1}, ""},
		{diagnosis{Received: map[string]uint64{"plain": 1}}, "without a key"},
		{diagnosis{Received: map[string]uint64{"cluster": 1, "key": 1}}, "another key"},
		{diagnosis{Received: map[string]uint64{"accepted": 1}}, "heard before"},
		{diagnosis{}, "no interface"},
		{diagnosis{Interfaces: []string{"eth0"}}, "does not know its own address"},
		{diagnosis{Interfaces: []string{"eth0"}, Announced: true, Sent: 9}, "firewall on this host"},
		{diagnosis{Interfaces: []string{"eth0"}, Announced: true, Sent: 9, Received: map[string]uint64{"own": 9}}, "list seeds"},
	} {
		if got := c.d.hint(); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("Hint of %+v = %q, want %q in it", c.d, got, c.want)
		}
	}
}

func TestDualStackPeersAreReportedUnderOneAddress(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.host(1).run(t, DefaultConfig(), "a", "[::]:7946")
		l.host(2).run(t, DefaultConfig(), "b", "[fd00::2]:7946", "10.0.1.2:7946")
		l.host(3).run(t, DefaultConfig(), "c", "[::]:7946")
		time.Sleep(10 * time.Minute)
		seen := map[string][]string{}
		for _, c := range a.since(0) {
			for _, p := range c.peers {
				if !slices.Contains(seen[p.ID], p.Addr) {
					seen[p.ID] = append(seen[p.ID], p.Addr)
				}
			}
		}
		if len(seen["b"]) != 1 || seen["b"][0] != "[fd00::2]:7946" || len(seen["c"]) != 1 {
			t.Errorf("addresses reported in 10 minutes: %v, want one for each, that of the first announced for b", seen)
		}
	})
}
