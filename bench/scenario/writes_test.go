package scenario

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/bench/engine"
	"github.com/goconvoke/convoke/bench/fabric"
)

func TestAWriteHasArrivedWhenEachMemberHasItOrANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ws writes
		ws.beginWrite(1, 10, 2)
		time.Sleep(time.Second)
		ws.beginWrite(1, 20, 2)
		ws.noteArrival(1, 0, 10)
		time.Sleep(time.Second)
		if n, values := ws.unfinished(); n != 2 || values != 2 {
			t.Errorf("%d writes and %d values are missing, want 2 and 2", n, values)
		}
		ws.noteArrival(1, 0, 20) // passes over 10
		if len(ws.took) != 1 || ws.took[0] != 2 {
			t.Errorf("took %v, want the first write alone, after 2 s", ws.took)
		}
		time.Sleep(time.Minute)
		ws.noteArrival(1, 10, 20)
		if n, _ := ws.unfinished(); n != 0 || ws.late != 1 || ws.all != 2 {
			t.Errorf("%d of %d writes are missing and %d late, want 0 of 2, and 1", n, ws.all, ws.late)
		}
	})
}

func TestTheTimeOfACutDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ws writes
		ws.beginWrite(1, 1, 1)
		time.Sleep(2 * lateUpdate)
		ws.beginWrite(2, 1, 1)
		cut := time.Now()
		time.Sleep(cutFor)
		ws.healed(cut)
		time.Sleep(time.Second)
		ws.noteArrival(1, 0, 1)
		ws.noteArrival(2, 0, 1)
		if ws.took[0] != 1 || ws.took[1] != 1 {
			t.Errorf("took %v, want 1 s since the heal", ws.took)
		}
		if ws.late != 1 {
			t.Errorf("%d are late, want the one that was before the cut", ws.late)
		}
	})
}

func TestAValueThatANewerOneReplacesIsNotLost(t *testing.T) {
	samples, err := playPrompt(t, busy, 4) // the second write of member 0 stays away from the last member
	if err != nil || samples["lost"][0] != 0 || samples["late"][0] != 0 || samples["heal"][0] != 0 {
		t.Errorf("%v, %v: want nothing lost or late", samples, err)
	}
}

func TestAValueThatNeverArrivesIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{Settings: Settings{Limit: time.Minute}, view: newView(3, 0), samples: Samples{}}
		r.view.writes.beginWrite(0, 7, 2)
		r.view.writes.beginWrite(0, 8, 2)
		r.view.sink(engine.Event{Observer: 1, Subject: 0, Kind: engine.Shared, Value: 8})
		r.sumUpWrites()
		if r.samples["lost"][0] != 1 || r.samples["late"][0] != 2 || !math.IsInf(r.samples["last"][1], 1) {
			t.Errorf("%v, want two writes that never end and one value lost", r.samples)
		}
	})
}

func TestAnEngineWithoutStateIsLeftOut(t *testing.T) {
	if _, err := playPrompt(t, bulk, 0); err == nil || !strings.Contains(err.Error(), ErrNotApplicable.Error()) {
		t.Errorf("error = %v, want %v", err, ErrNotApplicable)
	}
}

func TestTextIsAsLongAsWantedAndNeverTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var state []engine.Entry
		s := Scenario{play: func(r *run) error { state = r.makeState(); return nil }}
		factory := func(n int, _ *fabric.Fabric, sink engine.Sink) engine.Cluster { return &prompt{n, sink, 0} }
		if _, err := s.Play(factory, Settings{Members: 4, State: 10 * entrySize}); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, e := range state {
			if seen[e.Value] = true; len(e.Value) != entrySize {
				t.Errorf("a value has %d bytes, want %d", len(e.Value), entrySize)
			}
		}
		if len(seen) != 10 {
			t.Errorf("%d values differ, want 10", len(seen))
		}
	})
}

func TestAViewThatBreaksAgainIsNotHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{Settings: Settings{Limit: time.Minute}, view: newView(2, 0), samples: Samples{}}
		for _, e := range []engine.Event{{Observer: 0, Subject: 1}, {Observer: 1, Subject: 0}} {
			r.view.sink(e)
		}
		time.AfterFunc(10*time.Second, func() { r.view.sink(engine.Event{Observer: 0, Subject: 1, Kind: engine.Gone}) })
		time.AfterFunc(12*time.Second, func() { r.view.sink(engine.Event{Observer: 0, Subject: 1}) })
		r.keepsWhole("heal", time.Now())
		if got := r.samples["heal"][0]; got != 12 {
			t.Errorf("healed after %v s, want 12: it broke again", got)
		}
		time.AfterFunc(time.Second, func() { r.view.sink(engine.Event{Observer: 0, Subject: 1, Kind: engine.Gone}) })
		r.keepsWhole("heal", time.Now())
		if got := r.samples["heal"][1]; !math.IsInf(got, 1) {
			t.Errorf("healed after %v s, want never", got)
		}
	})
}
