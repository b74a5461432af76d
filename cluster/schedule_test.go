package cluster

import (
	"testing"
	"time"
)

func TestARoundFollowsAChangeAfterARestAndElseAfterThePause(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	var s schedule
	s.requestRound()
	want := func(at time.Time, due bool) {
		t.Helper()
		if got, ok := s.next(); ok != due || due && !got.Equal(at) {
			t.Errorf("next = %v, %v, want %v, %v", got.Sub(now), ok, at.Sub(now), due)
		}
	}
	if at, ok := s.next(); !ok || at.After(now) {
		t.Errorf("the first round is due at %v, %v, want at once", at, ok)
	}
	s.begin(now)
	want(now, false)
	s.requestRound() // while it runs
	now = now.Add(time.Second)
	s.end(now, 10*time.Second)
	want(now.Add(4*time.Second), true) // a rest of four times as long
	now = now.Add(4 * time.Second)
	s.begin(now)
	s.end(now, 10*time.Second)
	want(now.Add(roundGap+10*time.Second), true)
	s.begin(now)
	now = now.Add(time.Hour)
	s.end(now, 10*time.Second)
	s.requestRound()
	want(now.Add(4*listTimeout), true)
}

func TestTransitionsArePublishedAtOnceAndOtherChangesInBatches(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	var p publication
	p.done(now, now)
	if _, ok := p.due(); ok {
		t.Error("without a change there is something to publish")
	}
	p.pending = true
	if at, ok := p.due(); !ok || !at.Equal(now.Add(publishGap)) {
		t.Errorf("a change is published after %v, %v, want %v", at.Sub(now), ok, publishGap)
	}
	p.urgent = true
	if at, ok := p.due(); !ok || at.After(now) {
		t.Errorf("a transition is published after %v, %v, want at once", at.Sub(now), ok)
	}
	if p.done(now, now.Add(time.Second)); p.pending || p.urgent {
		t.Error("something is left to publish")
	}
	p.pending = true
	if at, _ := p.due(); !at.Equal(now.Add(21 * time.Second)) {
		t.Errorf("after a publication that took 1 s the next one comes after %v, want a rest of 20 s", at.Sub(now))
	}
}

func TestAReportWaitsForRoomInTheMailboxUntilItsRunIsStopped(t *testing.T) {
	r := &reconciler{posted: make(chan struct{}, 1)}
	m := &mailbox{reports: make(chan report, 1)}
	m.reader.Store(r)
	stopped := make(chan struct{})
	m.post(stopped, report{attempt: 1})
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		m.post(stopped, report{attempt: 2})
	}()
	if first := <-m.reports; first.attempt != 1 {
		t.Errorf("attempt %d comes first, want 1", first.attempt)
	}
	<-posted
	close(stopped)
	m.post(stopped, report{attempt: 3}) // there is no room
	if second := <-m.reports; second.attempt != 2 {
		t.Errorf("attempt %d comes second, want 2", second.attempt)
	}
}
