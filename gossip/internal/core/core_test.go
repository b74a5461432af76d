package core

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestValidateReportsAllThatIsWrongAtOnce(t *testing.T) {
	c := DefaultConfig()
	c.Rings, c.Silence, c.Relax = 1, time.Second, time.Hour
	err := c.Validate()
	for _, want := range []string{"id has", "addr has", "generation is 0", "rings is 1", "silence is 1s", "relax is 1h"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want %q in it", err, want)
		}
	}
	c = DefaultConfig()
	c.ID, c.Addr, c.Generation = "a", "a:1", 1
	if err := c.Validate(); err != nil {
		t.Errorf("Validate() of the defaults = %v", err)
	}
}

func TestAPauseMovesNoDeadline(t *testing.T) {
	start := time.Unix(1000, 0)
	c := clock{last: start, promise: time.Second, grace: 250 * time.Millisecond}
	for _, s := range []struct {
		at   time.Duration
		late time.Duration
		want time.Duration
	}{
		{900 * time.Millisecond, 0, 900 * time.Millisecond},
		{1200 * time.Millisecond, 0, 1200 * time.Millisecond},    // a little late is no pause
		{10 * time.Second, 9 * time.Second, time.Second * 6 / 5}, // long away: time stood still
		{5 * time.Second, 0, time.Second * 6 / 5},                // a step back
	} {
		if late, _ := c.advance(start.Add(s.at)); late < s.late || s.late == 0 && late != 0 {
			t.Errorf("advance(%v) = %v, want %v", s.at, late, s.late)
		}
		if c.at != s.want {
			t.Errorf("after advance(%v) the clock shows %v, want %v", s.at, c.at, s.want)
		}
	}
}

func TestSilenceGrowsWithJitterUpToThreeTimesTheFloor(t *testing.T) {
	const floor = 5 * time.Second
	for _, c := range []struct{ mean, dev, want time.Duration }{
		{time.Second, 0, floor},
		{time.Second, time.Second, 7 * time.Second},
		{time.Second, time.Minute, 3 * floor},
	} {
		if got := (&detector{mean: c.mean, dev: c.dev}).silence(floor); got != c.want {
			t.Errorf("silence(mean %v, dev %v) = %v, want %v", c.mean, c.dev, got, c.want)
		}
	}
}

func TestPhiGrowsWithSilence(t *testing.T) {
	d := newDetector(0, time.Second)
	for last, at := 0.0, time.Duration(0); at < 4*time.Second; at += 200 * time.Millisecond {
		phi := d.phi(at)
		if phi < last {
			t.Errorf("phi(%v) = %v, less than before", at, phi)
		}
		last = phi
	}
}

func TestALinkThatFlapsHasToProveItself(t *testing.T) {
	var f flaps
	for i, want := range []int{0, 3, 6, 12, 24, 24} {
		f.broke(time.Duration(i+1) * 10 * time.Second)
		if f.need != want {
			t.Errorf("after break %d: %d heartbeats, want %d", i+1, f.need, want)
		}
	}
	f.broke(time.Hour)
	if f.need != 0 {
		t.Errorf("after an hour of peace: %d heartbeats, want 0", f.need)
	}
}

func TestUnexpectedFramesDoNoHarm(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ID, cfg.Addr, cfg.Generation = "a", "a:1", 1
	now := time.Unix(1000, 0)
	c := New(cfg, rand.New(rand.NewPCG(1, 1)), now)
	c.Step(now, LinkUp{Link: 1, ID: "b", Generation: 1, Addr: "b:1"})
	for _, f := range []Frame{
		&Hello{}, &Refuse{}, &Beat{}, &Buckets{}, &Digest{Mask: ^uint64(0), Entries: make([]DigestEntry, 3)},
		&Delta{Records: make([]RecordDelta, 3)}, nil, &Bye{Reason: 77},
	} {
		c.Step(now, Received{Link: 1, Frame: f})
		c.Step(now, Received{Link: 2, Frame: f})
	}
	c.Step(now, LinkDown{Link: 9})
	c.Step(now, DialFailed{Attempt: 9})
	if c.Known() != 1 {
		t.Errorf("%d members, want only ourselves", c.Known())
	}
}
