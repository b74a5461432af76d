package multicast

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheIntervalOnTheWireIsTheSentOneOrLittleLonger(t *testing.T) {
	for _, d := range []time.Duration{
		100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 5 * time.Second, 30 * time.Second, 51200 * time.Millisecond,
	} {
		p := packet{Flags: withInterval(flagHello, d)}
		if got := p.interval(); got < d || got > d*13/10 {
			t.Errorf("interval of %v = %v, want it or up to 30 %% more", d, got)
		}
		if !p.hello() || p.leaves() {
			t.Errorf("flags %08b with interval %v, want hello alone", p.Flags, d)
		}
	}
}

func TestAPacketWithAnIntervalIsReadByTheVersionBeforeAndOneWithoutByThis(t *testing.T) {
	codec, with := testCodec(t, "orders"), samplePacket()
	without := codec.encode(nil, with)
	with.Flags = withInterval(with.Flags, 5*time.Second)
	bytes := codec.encode(nil, with)
	for i := range without {
		if flags := plainSize + 4*8; i != flags && bytes[i] != without[i] || len(bytes) != len(without) {
			t.Fatalf("byte %d is %x, want %x: the version before reads everything but unknown flags", i, bytes[i], without[i])
		}
	}
	old, v := codec.decode(without)
	if diff := cmp.Diff(samplePacket(), &old); v != accepted || diff != "" || old.interval() != 0 {
		t.Errorf("a packet of the version before: %v, interval %v (-want +got):\n%s", v, old.interval(), diff)
	}
}

func TestAPeerIsKeptForFiveOfItsOwnIntervals(t *testing.T) {
	for _, c := range []struct {
		name     string
		interval time.Duration // announced, 0: it is not
		expire   time.Duration // configured here
		want     time.Duration // at least this, and 30 % more at most
	}{
		{"of the version before", 0, 0, 10 * time.Second},
		{"as configured here", 2 * time.Second, 0, 10 * time.Second},
		{"a short interval", 500 * time.Millisecond, 0, 10 * time.Second},
		{"a long one", 20 * time.Second, 0, 100 * time.Second},
		{"with two intervals configured", 20 * time.Second, 4 * time.Second, 40 * time.Second},
		{"with an hour's patience configured", 20 * time.Second, 10 * time.Minute, 10 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := DefaultConfig()
			config.ExpireAfter = c.expire
			tb := newTable(config, notLocal)
			h := testPacket{from: "10.0.0.1", addrs: []string{"10.0.0.1:1"}}
			if c.interval > 0 {
				h.flags = withInterval(0, c.interval)
			}
			h.handleIn(tb)
			if n := len(tb.liveNodes(epoch.Add(c.want - time.Millisecond))); n != 1 {
				t.Errorf("%d peers %v after the last heartbeat, want 1", n, c.want)
			}
			if n := len(tb.liveNodes(epoch.Add(c.want * 13 / 10))); n != 0 {
				t.Errorf("%d peers long after %v, want 0", n, c.want)
			}
		})
	}
}

func TestHeartbeatsAreQuickAtFirstAndThenSteady(t *testing.T) {
	const seed = 7
	now := epoch
	p := newHeartbeatPacer(2*time.Second, rand.New(rand.NewPCG(seed, 0)), now)
	var gaps []time.Duration
	for range 200 {
		at := p.next
		p.planAfterSend(at, p.steadyInterval(100, 1))
		gaps = append(gaps, p.next.Sub(at))
	}
	for i, gap := range gaps {
		mean := min(quickGap<<min(i, 10), 5*time.Second)
		if gap < mean/2 || gap > mean*3/2 {
			t.Errorf("gap %d is %v, want %v ±50 %% (seed %d)", i, gap, mean, seed)
		}
	}
}

func TestAGreetingComesWithinAWindowThatGrowsWithTheNodes(t *testing.T) {
	for _, c := range []struct {
		nodes  int
		window time.Duration
	}{{2, quickGap}, {5, quickGap}, {100, 4 * time.Second}, {1000, 40 * time.Second}} {
		p := newHeartbeatPacer(2*time.Second, rand.New(rand.NewPCG(1, 2)), epoch)
		p.planAfterSend(epoch, 100*time.Second)
		for range 20 {
			p.gap = time.Hour
			p.planAfterSend(p.next, 100*time.Second)
			last := p.last
			p.planGreeting(last.Add(time.Millisecond), c.nodes)
			if wait := p.next.Sub(last); wait < c.window/2 || wait > c.window+time.Millisecond {
				t.Errorf("among %d nodes a greeting comes %v after a heartbeat, want %v to %v", c.nodes, wait, c.window/2, c.window)
			}
		}
	}
}

func TestPacketsOfKnownSendersAreNotCountedAgainstTheirAddress(t *testing.T) {
	codec := testCodec(t, "orders")
	s := newFilter(DefaultConfig(), codec, 1)
	send := func(instance, seq uint64) dropReason {
		b := codec.encode(nil, &packet{Instance: instance, Seq: seq, Node: "x"})
		_, v := s.checkPacket(datagram{data: b, from: stranger}, epoch)
		return v
	}
	for i := range uint64(50) {
		for seq := range uint64(10) {
			if v := send(100+i, 1+seq); v != accepted {
				t.Fatalf("packet %d of sender %d: %v, want %v: one address may hold many nodes", seq, i, v, accepted)
			}
		}
	}
	refused := 0
	for seq := range uint64(500) {
		if send(100, 100+seq) == badRate {
			refused++
		}
	}
	if refused < 400 {
		t.Errorf("%d of 500 packets of one sender within a second were refused, want nearly all", refused)
	}
}
