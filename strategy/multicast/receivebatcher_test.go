package multicast

import (
	"testing"
	"time"
)

func TestAReceiverNapsInABusyClusterAndNotInAFlood(t *testing.T) {
	now := time.Unix(1000, 0)
	var l receiveBatcher
	packet := func(gap time.Duration) bool {
		began := now
		now = now.Add(gap)
		return l.shouldCollect(began, now)
	}
	batches := 0
	for range 100 { // twenty a second
		if packet(50 * time.Millisecond) {
			batches++
		}
	}
	if batches < 50 {
		t.Errorf("%d batches in 100 packets of a busy cluster, want most of them", batches)
	}
	for i := range 1000 { // a flood with gaps, as a busy host makes
		gap := time.Microsecond
		if i%50 == 49 {
			gap = 8 * time.Millisecond
		}
		if packet(gap) && i > floodRun {
			t.Fatalf("a batch after %d packets of a flood", i)
		}
	}
	for range 3 {
		if packet(500 * time.Millisecond) {
			t.Error("a batch in a quiet moment")
		}
	}
}
