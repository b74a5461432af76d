package multicast

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// settled is when the first complete answer must have come.
const settled = 15 * time.Second

func bubble(t *testing.T, f func(t *testing.T, l *lan)) {
	synctest.Test(t, func(t *testing.T) { f(t, new(lan)) })
}

func wantView(t *testing.T, n *node, want ...peer.Peer) {
	t.Helper()
	if diff := cmp.Diff(want, n.view()); diff != "" {
		t.Errorf("last Set of %s (-want +got):\n%s", n.env.Self()[0].ID, diff)
	}
}

var (
	peerA = peer.Peer{ID: "a", Addr: "10.0.1.1:7946"}
	peerB = peer.Peer{ID: "b", Addr: "10.0.1.2:7946"}
)

// pair runs nodes a and b on two hosts and waits until both have given a complete answer.
func pair(t *testing.T, l *lan, c Config) (ha, hb *host, a, b *node) {
	t.Helper()
	ha, hb = l.host(1), l.host(2)
	a, b = ha.run(t, c, "a", "0.0.0.0:7946"), hb.run(t, c, "b", "0.0.0.0:7946")
	time.Sleep(settled)
	wantView(t, a, peerB)
	wantView(t, b, peerA)
	return ha, hb, a, b
}

func TestNodesStartedTogetherFindEachOtherAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		c := DefaultConfig()
		a, b := l.host(1).run(t, c, "a", "0.0.0.0:7946"), l.host(2).run(t, c, "b", "0.0.0.0:7946")
		time.Sleep(300 * time.Millisecond)
		for n, want := range map[*node]peer.Peer{a: peerB, b: peerA} {
			if !slices.ContainsFunc(n.since(0), func(c call) bool { return slices.Contains(c.peers, want) }) {
				t.Errorf("%v is not reported after 300ms: %v", want, n.since(0))
			}
		}
	})
}

func TestALateNodeIsHeardAndHearsWithinASecond(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.host(1).run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		time.Sleep(settled + 777*time.Millisecond)
		before := a.count()
		b := l.host(2).run(t, DefaultConfig(), "b", "0.0.0.0:7946")
		time.Sleep(time.Second)
		for n, want := range map[*node]peer.Peer{a: peerB, b: peerA} {
			if !slices.ContainsFunc(n.since(0), func(c call) bool { return slices.Contains(c.peers, want) }) {
				t.Errorf("%v is not reported after 1s", want)
			}
		}
		if before == a.count() {
			t.Error("a reported nothing of the newcomer")
		}
	})
}

func TestTheFirstCompleteAnswerWaitsUntilEveryPeerHadTheTimeToBeHeard(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.host(1).run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		time.Sleep(time.Second)
		first := a.since(0)[0]
		if first.kind != "add" || len(first.peers) > 0 {
			t.Errorf("first call is %v, want an empty Add as a sign of life", first)
		}
		time.Sleep(10 * time.Second) // interval + expiry is 12s
		if c, ok := last(a.since(0), "set"); ok {
			t.Errorf("Set(%v) before interval and expiry have passed", c.peers)
		}
		time.Sleep(3 * time.Second)
		if _, ok := last(a.since(0), "set"); !ok {
			t.Error("no empty Set after interval and expiry have passed")
		}
	})
}

func TestASilentPeerExpiresAfterFiveMissedHeartbeats(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		_, hb, a, b := pair(t, l, DefaultConfig())
		b.crash(hb)
		time.Sleep(6 * time.Second)
		wantView(t, a, peerB)
		time.Sleep(7 * time.Second)
		wantView(t, a)
	})
}

func TestALeaveRemovesThePeerAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		_, _, a, b := pair(t, l, DefaultConfig())
		b.stop()
		wantView(t, a)
		if !errors.Is(b.err, context.Canceled) {
			t.Errorf("Run = %v, want the error of its context", b.err)
		}
		calls := b.count()
		time.Sleep(time.Minute)
		wantView(t, a)
		if b.count() != calls {
			t.Error("the sink was called after Run returned")
		}
	})
}

func TestARestartedNodeReplacesItsOlderLifeAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		_, hb, a, b := pair(t, l, DefaultConfig())
		b.crash(hb)
		again := hb.run(t, DefaultConfig(), "b", "0.0.0.0:8000")
		time.Sleep(3 * time.Second)
		wantView(t, a, peer.Peer{ID: "b", Addr: "10.0.1.2:8000"})
		again.stop()
		wantView(t, a)
	})
}

func TestTheLeaveOfAnOlderLifeDoesNotConcernTheNewOne(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		_, hb, a, b := pair(t, l, DefaultConfig())
		again := hb.run(t, DefaultConfig(), "b", "0.0.0.0:7946") // a reload hands over
		time.Sleep(time.Second)
		b.stop()
		wantView(t, a, peerB)
		time.Sleep(time.Minute)
		wantView(t, a, peerB)
		wantView(t, again, peerA)
		if n := a.dropped("stale"); n == 0 {
			t.Error("nothing of the older life was dropped as stale")
		}
	})
}

func TestANodeNeverReportsItself(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.host(1).run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		time.Sleep(time.Minute)
		for _, c := range a.since(0) {
			if len(c.peers) > 0 || c.kind == "fail" {
				t.Fatalf("call %v, want no peers and no failure", c)
			}
		}
		if a.dropped("own") == 0 {
			t.Error("own packets were not counted")
		}
	})
}

func TestTwoNodesOfOneHostShareThePort(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		a, b := h.run(t, DefaultConfig(), "a", "0.0.0.0:1001"), h.run(t, DefaultConfig(), "b", "0.0.0.0:1002")
		time.Sleep(settled)
		wantView(t, a, peer.Peer{ID: "b", Addr: "10.0.1.1:1002"})
		wantView(t, b, peer.Peer{ID: "a", Addr: "10.0.1.1:1001"})
	})
}

func TestJunkIsDroppedAndCountedAndTheNodeLives(t *testing.T) {
	keyed, other := DefaultConfig(), DefaultConfig()
	keyed.Keys, other.Keys = []strategy.Key{testKey(1)}, []strategy.Key{testKey(2)}
	encode := func(c Config, cluster string, change func(p *packet)) []byte {
		codec, err := newCodec(cluster, c.Keys)
		if err != nil {
			t.Fatal(err)
		}
		p := &packet{Instance: 7, Generation: 1, Seq: 1, Time: time.Now().UnixNano(), Node: "x", Addrs: []string{"10.0.1.9:1"}}
		change(p)
		return codec.encode(nil, p)
	}
	as := func(*packet) {}
	for _, c := range []struct {
		name, reason string
		junk         func() []byte
	}{
		{"another key", "key", func() []byte { return encode(other, "orders", as) }},
		{"no key", "plain", func() []byte { return encode(DefaultConfig(), "orders", as) }},
		{"another cluster ID", "cluster", func() []byte { return encode(keyed, "stock", as) }},
		{"cut short", "key", func() []byte { b := encode(keyed, "orders", as); return b[:len(b)-1] }},
		{"cut to the header", "malformed", func() []byte { return encode(keyed, "orders", as)[:32] }},
		{"cut within the header", "magic", func() []byte { return encode(keyed, "orders", as)[:9] }},
		{"too long", "size", func() []byte { return append(encode(keyed, "orders", as), make([]byte, 512)...) }},
		{"empty", "size", func() []byte { return nil }},
		{"libcluster with garbage", "libcluster", func() []byte { return []byte("heartbeat::\x83\xff\x00garbage") }},
		{"garbage after the magic", "version", func() []byte { return []byte("cnvk\xff\xfegarbage of some length") }},
		{"one bit changed", "key", func() []byte { b := encode(keyed, "orders", as); b[40] ^= 1; return b }},
		{"header changed", "version", func() []byte { b := encode(keyed, "orders", as); b[offVersion]++; return b }},
		{"an old clock", "skew", func() []byte {
			return encode(keyed, "orders", func(p *packet) { p.Time -= int64(6 * time.Minute) })
		}},
		{"sequence 0", "replay", func() []byte { return encode(keyed, "orders", func(p *packet) { p.Seq = 0 }) }},
		{"an unprintable name", "malformed", func() []byte {
			return encode(keyed, "orders", func(p *packet) { p.Node = "x\x1b[2J" })
		}},
		{"no port", "malformed", func() []byte {
			return encode(keyed, "orders", func(p *packet) { p.Addrs = []string{"10.0.1.9"} })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *lan) {
				_, _, a, _ := pair(t, l, keyed)
				before := a.dropped(c.reason)
				l.inject(c.junk())
				if n := a.dropped(c.reason) - before; n != 1 {
					t.Errorf("%d packets more were dropped as %q, want 1; all: %v", n, c.reason, a.strategy.diagnose().Received)
				}
				time.Sleep(5 * time.Second)
				wantView(t, a, peerB)
				if f, ok := last(a.since(0), "fail"); ok {
					t.Errorf("Fail(%v) because of junk", f.err)
				}
			})
		})
	}
}

func TestAReplayedPacketRevivesNoPeer(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		c := DefaultConfig()
		c.Keys = []strategy.Key{testKey(1)}
		a := l.host(1).run(t, c, "a", "0.0.0.0:7946")
		synctest.Wait() // until it listens
		codec, _ := newCodec("orders", c.Keys)
		p := &packet{Instance: 7, Generation: 1, Seq: 1, Time: time.Now().UnixNano(), Node: "x", Addrs: []string{"10.0.1.9:1"}}
		record := codec.encode(nil, p)
		l.inject(record)
		time.Sleep(settled)
		wantView(t, a) // heard, and expired
		for _, wait := range []time.Duration{0, time.Minute, 2 * time.Minute, 10 * time.Minute, 20 * time.Minute} {
			time.Sleep(wait)
			l.inject(record)
			time.Sleep(3 * time.Second)
			wantView(t, a)
		}
		if a.dropped("replay") == 0 || a.dropped("skew") == 0 {
			t.Errorf("dropped %v, want replay at first and skew later", a.strategy.diagnose().Received)
		}
	})
}

func TestAFloodFromOneAddressIsLimitedAndOthersAreHeard(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		_, _, a, _ := pair(t, l, DefaultConfig())
		codec, _ := newCodec("orders", nil)
		for i := range 500 {
			p := &packet{Instance: uint64(i + 10), Generation: 1, Seq: 1, Node: fmt.Sprint("x", i), Addrs: []string{"10.0.1.99:1"}}
			l.inject(codec.encode(nil, p))
		}
		if n := a.dropped("rate"); n != 500-maxRate {
			t.Errorf("%d packets over the rate, want %d", n, 500-maxRate)
		}
		time.Sleep(20 * time.Second)
		wantView(t, a, peerB)
	})
}

func TestABrokenSocketIsReportedAndReopened(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		ha, _, a, _ := pair(t, l, DefaultConfig())
		before := a.count()
		ha.breakSockets()
		synctest.Wait()
		if f, ok := last(a.since(before), "fail"); !ok || !errors.Is(f.err, errCut) {
			t.Fatalf("calls %v, want a Fail that wraps %v", a.since(before), errCut)
		}
		time.Sleep(10 * time.Second)
		if c, ok := last(a.since(before), "set"); ok {
			t.Errorf("Set(%v) before all peers had the time to be heard again", c.peers)
		}
		time.Sleep(settled)
		for _, c := range a.since(before) {
			if c.kind == "set" && !cmp.Equal(c.peers, []peer.Peer{peerB}) {
				t.Errorf("Set(%v) after the socket was reopened, want b", c.peers)
			}
		}
		wantView(t, a, peerB)
	})
}

func TestAPortThatCannotBeBoundIsTriedAgainWithBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		h.listenErr = [families]error{errCut, errCut}
		a := h.run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		l.host(2).run(t, DefaultConfig(), "b", "0.0.0.0:7946")
		time.Sleep(3 * time.Minute)
		for _, c := range a.since(0) {
			if c.kind != "fail" || !errors.Is(c.err, errCut) {
				t.Fatalf("call %v while nothing can be heard, want Fail(%v)", c, errCut)
			}
		}
		h.change(func() { h.listenErr = [families]error{} })
		time.Sleep(31*time.Second + settled)
		wantView(t, a, peerB)
		if h.opened != 2 {
			t.Errorf("%d sockets opened, want 2", h.opened)
		}
	})
}

func TestAPlatformWithoutMulticastFailsForGood(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		h.listenErr = [families]error{errors.ErrUnsupported, errors.ErrUnsupported}
		a := h.run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		<-a.done
		if !strategy.IsPermanent(a.err) {
			t.Errorf("Run = %v, want a permanent error", a.err)
		}
	})
}

func TestAHostWithoutIPv6IsNoFailure(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1, iface("eth0", 1, 1, false))
		h.listenErr[v6] = errCut
		a := h.run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		l.host(2).run(t, DefaultConfig(), "b", "0.0.0.0:7946")
		time.Sleep(settled)
		wantView(t, a, peerB)
		if f, ok := last(a.since(0), "fail"); ok {
			t.Errorf("Fail(%v), want none", f.err)
		}
	})
}

func TestAHostWithoutInterfacesReportsThatAndWorksOnceItHasOne(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		h.setUp("eth0", false)
		a := h.run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		l.host(2).run(t, DefaultConfig(), "b", "0.0.0.0:7946")
		time.Sleep(time.Minute)
		if f, ok := last(a.since(0), "fail"); !ok || !strings.Contains(f.err.Error(), "eth0 (down)") {
			t.Errorf("last failure %v, want it to name the interface that is down", f.err)
		}
		h.setUp("eth0", true)
		time.Sleep(settled)
		wantView(t, a, peerB)
	})
}

func TestAnInterfaceThatWasDownIsJoinedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		ha, _, a, _ := pair(t, l, DefaultConfig())
		ha.setUp("eth0", false)
		before := a.count()
		time.Sleep(time.Minute)
		if _, ok := last(a.since(before+8), "set"); ok {
			t.Error("an answer without the peers behind a dead interface was called complete")
		}
		if f, ok := last(a.since(before), "fail"); !ok || !strings.Contains(f.err.Error(), "eth0 is down") {
			t.Errorf("last failure %v, want that eth0 is down", f.err)
		}
		up := a.count()
		ha.setUp("eth0", true)
		time.Sleep(3 * time.Second)
		if c, _ := last(a.since(up), "add"); !cmp.Equal(c.peers, []peer.Peer{peerB}) {
			t.Errorf("last Add(%v) 3s after the interface came back, want b", c.peers)
		}
		time.Sleep(settled)
		for _, c := range a.since(up) {
			if c.kind == "set" && !cmp.Equal(c.peers, []peer.Peer{peerB}) {
				t.Errorf("Set(%v) after the interface came back, want b", c.peers)
			}
		}
		wantView(t, a, peerB)
	})
}

func TestANewAddressOrIndexOfAnInterfaceIsFollowed(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		ha, _, a, b := pair(t, l, DefaultConfig())
		ha.change(func() {
			for _, s := range ha.sockets {
				clear(s.joined)
			}
			ha.ifaces[0] = iface("eth0", 1, 7, true)
			ha.ifaces[0].Index = 9
		})
		time.Sleep(40 * time.Second)
		wantView(t, a, peerB)
		wantView(t, b, peer.Peer{ID: "a", Addr: "10.0.1.7:7946"})
	})
}

func TestOneOfTwoInterfacesDownMakesTheAnswerIncomplete(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		c := DefaultConfig()
		h := l.host(1, iface("eth0", 1, 1, true), iface("eth1", 2, 1, true))
		a := h.run(t, c, "a", "0.0.0.0:7946")
		l.host(2).run(t, c, "b", "0.0.0.0:7946")
		l.host(3, iface("eth1", 2, 3, true)).run(t, c, "c", "0.0.0.0:7946")
		time.Sleep(settled)
		wantView(t, a, peerB, peer.Peer{ID: "c", Addr: "10.0.2.3:7946"})
		h.change(func() { h.sendErr["eth1"] = errCut })
		time.Sleep(3 * time.Second)
		before := a.count()
		time.Sleep(20 * time.Second)
		if s, ok := last(a.since(before), "set"); ok {
			t.Errorf("Set(%v) while eth1 fails", s.peers)
		}
		add, _ := last(a.since(before), "add")
		fail, _ := last(a.since(before), "fail")
		if !slices.Contains(add.peers, peerB) || !errors.Is(fail.err, errCut) {
			t.Errorf("Add(%v) and Fail(%v), want those still heard and the reason", add.peers, fail.err)
		}
		h.change(func() { delete(h.sendErr, "eth1") })
		time.Sleep(settled + 3*time.Second)
		if _, ok := last(a.since(before), "set"); !ok {
			t.Error("no Set after eth1 was mended")
		}
	})
}

func TestNothingIsAnnouncedWhileTheOwnAddressIsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		n := newTestNode("a")
		var self []peer.Peer
		n.env.Self = func() []peer.Peer { l.mu.Lock(); defer l.mu.Unlock(); return self }
		a := h.runEnv(t, DefaultConfig(), n)
		b := l.host(2).run(t, DefaultConfig(), "b", "0.0.0.0:7946")
		time.Sleep(settled)
		if c, _ := last(a.since(0), "set"); h.sent != 0 || !cmp.Equal(c.peers, []peer.Peer{peerB}) {
			t.Errorf("%d packets sent and Set(%v), want silence and b", h.sent, c.peers)
		}
		h.change(func() { self = []peer.Peer{{ID: "a", Addr: "10.0.1.1:7946"}} })
		time.Sleep(3 * time.Second)
		wantView(t, b, peerA)
	})
}

func TestHeartbeatsKeepTheirInterval(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		c := DefaultConfig()
		c.IPv6Group = ""
		h := l.host(1)
		h.run(t, c, "a", "0.0.0.0:7946")
		time.Sleep(500 * time.Millisecond)
		if n := h.count(); n < 2 || n > 4 {
			t.Errorf("%d heartbeats in the first half second, want about 3", n)
		}
		time.Sleep(1000 * time.Second)
		if n := h.count(); n < 450 || n > 560 {
			t.Errorf("%d heartbeats in 1000s, want about 500", n)
		}
	})
}
