package sim

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// recorder notes what two hosts receive, and which streams broke.
type recorder struct {
	*World
	got    []string
	broken []string
}

func newRecorder(hosts int) *recorder {
	r := &recorder{World: New(hosts, 1)}
	r.Net.Deliver = func(from, to *Host, message any) { r.got = append(r.got, fmt.Sprint(message)) }
	r.Net.Broken = func(at, peer *Host) { r.broken = append(r.broken, fmt.Sprintf("%d-%d", at.Index, peer.Index)) }
	for _, h := range r.Hosts {
		h.Start()
	}
	return r
}

func TestMessagesOfAStreamArriveInOrderAlsoWhenSomeAreLost(t *testing.T) {
	w := newRecorder(2)
	w.Net.Loss = 0.3
	var want []string
	for i := range 100 {
		w.Net.Send(w.Hosts[0], w.Hosts[1], i)
		want = append(want, fmt.Sprint(i))
		w.Run(time.Millisecond, nil)
	}
	w.Run(time.Minute, nil)
	if !slices.Equal(w.got, want) {
		t.Errorf("received %v", w.got)
	}
}

func TestAStreamOverACutBreaksAtTheSenderAfterAWhile(t *testing.T) {
	w := newRecorder(2)
	w.Net.Cut(0, 1)
	w.Net.Send(w.Hosts[0], w.Hosts[1], "lost")
	w.Run(w.Net.GiveUp/2, nil)
	if len(w.broken) > 0 {
		t.Errorf("broken: %v, want none yet", w.broken)
	}
	w.Run(w.Net.GiveUp, nil)
	w.Net.Heal()
	w.Net.Send(w.Hosts[0], w.Hosts[1], "next")
	w.Run(time.Second, nil)
	if !slices.Equal(w.broken, []string{"0-1"}) || !slices.Equal(w.got, []string{"next"}) {
		t.Errorf("broken %v, received %v", w.broken, w.got)
	}
}

func TestThePeersOfACrashedProcessAreNotifiedUnlessTheyAreCutOff(t *testing.T) {
	for cut, want := range map[bool]int{false: 1, true: 0} {
		w := newRecorder(2)
		w.Net.Send(w.Hosts[0], w.Hosts[1], "x")
		w.Run(time.Second, nil)
		if cut {
			w.Net.Cut(1, 0)
		}
		w.Hosts[1].Crash()
		w.Run(time.Second, nil)
		if len(w.broken) != want {
			t.Errorf("cut %v: broken %v, want %d", cut, w.broken, want)
		}
	}
}

func TestAFrozenProcessDoesLaterWhatWasDueAndAnEndedOneNever(t *testing.T) {
	w := newRecorder(1)
	h := w.Hosts[0]
	var at time.Duration
	w.After(time.Second, h, func() { at = w.Now })
	h.Freeze(5 * time.Second)
	w.Run(10*time.Second, nil)
	if at != 5*time.Second {
		t.Errorf("it ran at %v, want 5s", at)
	}
	w.After(time.Second, h, func() { t.Error("a process that ended ran") })
	h.Crash()
	h.Start()
	w.Run(10*time.Second, nil)
}

func TestClocksHaveRatesStepsAndSuspends(t *testing.T) {
	w := newRecorder(1)
	c := &w.Hosts[0].Clock
	c.SetRate(1.5)
	w.Run(10*time.Second, nil)
	c.Step = time.Hour
	w.Hosts[0].Suspend(4 * time.Second)
	w.Run(10*time.Second, nil)
	mono, boot, wall := c.Read(w.Now)
	if mono != 24*time.Second || boot != 30*time.Second || wall != 30*time.Second+time.Hour {
		t.Errorf("Read = %v, %v, %v, want 24s, 30s and 1h0m30s", mono, boot, wall)
	}
	c.NoBoot = true
	if _, boot, _ := c.Read(w.Now); boot != mono {
		t.Errorf("without a clock that goes on in suspend boot = %v, want %v", boot, mono)
	}
}

func TestOneSeedGivesOneRun(t *testing.T) {
	run := func() (out []string) {
		w := newRecorder(3)
		w.Net.Loss, w.Net.Break = 0.2, 0.1
		for i := range 50 {
			w.Net.Send(w.Hosts[i%3], w.Hosts[(i+1)%3], i)
			w.Run(time.Millisecond, nil)
		}
		w.Run(time.Minute, nil)
		return append(w.got, w.broken...)
	}
	if a, b := run(), run(); !slices.Equal(a, b) {
		t.Errorf("%v\n%v", a, b)
	}
}
