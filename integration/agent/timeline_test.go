package agent

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheTimelineKeepsWhatTheAgentPrints(t *testing.T) {
	l := &timeline{changed: make(chan struct{})}
	_, changed := l.now()
	l.read(`{"at":"2026-01-02T03:04:05Z","node":"h1","event":"members","members":["h1"],"joined":["h1"],"left":[]}`)
	select {
	case <-changed:
	default:
		t.Error("a new member list woke no waiter")
	}
	l.read(`{"at":"2026-01-02T03:04:06Z","node":"h1","event":"dial_failed","peer":"h2@10.0.0.2:7946","error":"refused"}`)
	l.read(`{"at":"2026-01-02T03:04:07Z","node":"h1","event":"members","members":["h1","h3"]}`)
	l.read(`{"at":"2026-01-02T03:04:08Z","node":"h1","event":"members","members":["h1","h2"]}`)
	if diff := cmp.Diff([]string{"h1", "h2"}, l.Members()); diff != "" {
		t.Errorf("Members (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"h1", "h2", "h3"}, l.EverSeen()); diff != "" {
		t.Errorf("EverSeen (-want +got):\n%s", diff)
	}
	since := time.Date(2026, 1, 2, 3, 4, 7, 0, time.UTC)
	if got := len(l.Events(since)); got != 2 {
		t.Errorf("Events(%v) = %d events, want 2", since, got)
	}
	if got := l.Events(since.Add(time.Hour)); got != nil {
		t.Errorf("Events of the future = %v, want none", got)
	}
}

func TestTheTimelineIsBounded(t *testing.T) {
	l := &timeline{changed: make(chan struct{})}
	for i := range 2 * maxEvents {
		l.read(fmt.Sprintf(`{"event":"members","members":["h%d"]}`, i))
		l.read("no JSON")
	}
	if got := len(l.Events(time.Time{})); got != maxEvents {
		t.Errorf("%d events are kept, want %d", got, maxEvents)
	}
	if got := len(l.Log()); got != maxLog {
		t.Errorf("%d log lines are kept, want %d", got, maxLog)
	}
}

func TestLinesOfTheLogAreCountedByTheirMessage(t *testing.T) {
	l := &timeline{changed: make(chan struct{})}
	for _, line := range []string{
		`2026-01-02T03:04:05.572Z [INFO]  convoke.gossip: listening: addr=10.0.0.1:7946`,
		`2026-01-02T03:04:06.000Z [INFO]  convoke.gossip: listening: addr=10.0.0.1:7946`,
		`2026-01-02T03:04:06.000Z [WARN]  convoke: no answer; the last one stands: topology=lan error="dial: refused: x=1"`,
		`2026-01-02T03:04:06.000Z [ERROR] convoke: crashed:`,
		`  error=`,
		`  | two`,
		`  | lines`,
		`2026-01-02T03:04:06.000Z [INFO]  convoke: on its own`,
		`panic: boom`,
	} {
		l.note(line)
	}
	want := map[string]int{"listening": 2, "no answer; the last one stands": 1, "crashed": 1, "on its own": 1, "no line of a log": 1}
	if diff := cmp.Diff(want, l.LogKinds()); diff != "" {
		t.Errorf("LogKinds (-want +got):\n%s", diff)
	}
}
