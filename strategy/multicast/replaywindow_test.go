package multicast

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var stranger = netip.MustParseAddrPort("10.0.1.99:45892")

func TestAWindowAdmitsEachNumberOnceAndNothingTooOld(t *testing.T) {
	for _, c := range []struct {
		name string
		seqs []uint64
		want []bool
	}{
		{"in order", []uint64{1, 2, 3}, []bool{true, true, true}},
		{"again", []uint64{1, 1, 2, 1, 2}, []bool{true, false, true, false, false}},
		{"out of order", []uint64{5, 3, 4, 3}, []bool{true, true, true, false}},
		{"0", []uint64{0}, []bool{false}},
		{"63 behind", []uint64{64, 1, 1}, []bool{true, true, false}},
		{"64 behind", []uint64{65, 1}, []bool{true, false}},
		{"a great leap", []uint64{1, 1 << 63, 1, 1<<63 - 63, 1<<63 - 64}, []bool{true, true, false, true, false}},
		{"the last number", []uint64{1<<64 - 1, 1<<64 - 1, 1}, []bool{true, false, false}},
	} {
		var w replayWindow
		for i, seq := range c.seqs {
			if got := w.admit(seq); got != c.want[i] {
				t.Errorf("%s: admit(%d) at %d = %v, want %v", c.name, seq, i, got, c.want[i])
			}
		}
	}
}

func TestAWindowAgreesWithANaiveOne(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	var w replayWindow
	seen, high := map[uint64]bool{}, uint64(0)
	for range 100000 {
		seq := 1 + max(high, 50) - 50 + rnd.Uint64N(100)
		want := !seen[seq] && seq+64 > high
		if got := w.admit(seq); got != want {
			t.Fatalf("admit(%d) = %v, want %v; highest %d, seed %d", seq, got, want, high, seed)
		}
		seen[seq], high = true, max(high, seq)
	}
}

func TestNothingIsAdmittedAfterALeave(t *testing.T) {
	ws, now := newWindows(time.Minute), time.Unix(1000, 0)
	for i, c := range []struct {
		p    packet
		want dropReason
	}{
		{packet{Instance: 1, Seq: 5}, accepted},
		{packet{Instance: 1, Seq: 9, Flags: flagLeave}, accepted},
		{packet{Instance: 1, Seq: 8}, badReplay},
		{packet{Instance: 1, Seq: 10}, badReplay},
		{packet{Instance: 2, Seq: 1}, accepted},
	} {
		if got, _ := ws.admit(&c.p, now); got != c.want {
			t.Errorf("packet %d: %v, want %v", i, got, c.want)
		}
	}
}

func TestWindowsAreBoundedAndForgotten(t *testing.T) {
	ws, now := newWindows(time.Minute), time.Unix(1000, 0)
	for i := range maxWindows {
		if v, _ := ws.admit(&packet{Instance: uint64(i), Seq: 1}, now); v != accepted {
			t.Fatalf("sender %d: %v, want accepted", i, v)
		}
	}
	if v, _ := ws.admit(&packet{Instance: 1 << 40, Seq: 1}, now.Add(time.Second)); v != full {
		t.Errorf("one sender more: %v, want %v", v, full)
	}
	if v, _ := ws.admit(&packet{Instance: 1, Seq: 2}, now.Add(30*time.Second)); v != accepted {
		t.Errorf("a known sender: %v, want accepted", v)
	}
	if v, _ := ws.admit(&packet{Instance: 1 << 40, Seq: 1}, now.Add(62*time.Second)); v != accepted || len(ws.of) != 2 {
		t.Errorf("after a minute: %v and %d windows, want accepted and 2", v, len(ws.of))
	}
}

func TestRatesAreCountedPerSourceAndBounded(t *testing.T) {
	r, now := newRates(), time.Unix(1000, 0)
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for i := range maxRate {
		if !r.allow(a, now) {
			t.Fatalf("packet %d refused, want %d a second", i, maxRate)
		}
	}
	if r.allow(a, now.Add(time.Second-1)) || !r.allow(b, now) {
		t.Error("want a refused and b allowed")
	}
	if !r.allow(a, now.Add(time.Second)) {
		t.Error("want a allowed in the next second")
	}
	allowed := 0
	for i := range 10 * maxSources {
		if r.allow(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), now.Add(time.Second)) {
			allowed++
		}
	}
	if len(r.count) > maxSources || allowed > 2*maxSources {
		t.Errorf("%d sources kept and %d packets allowed, want %d and %d at most", len(r.count), allowed, maxSources, 2*maxSources)
	}
}
