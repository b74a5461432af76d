package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	maxEvents = 10_000 // kept of one agent, the newest
	maxLog    = 30     // log lines kept of one agent, the newest
)

// Event is one line of the agent's output. Only the events "started", "members" and "removed" are relied on here.
type Event struct {
	At       time.Time `json:"at"`
	Event    string    `json:"event"`
	Members  []string  `json:"members"`
	Topology string    `json:"topology"`
	Peer     string    `json:"peer"`
	Error    string    `json:"error"`
}

// timeline holds what one agent has told so far.
type timeline struct {
	mu      sync.Mutex
	events  []Event
	members []string
	log     []string
	changed chan struct{} // closed and replaced at each new member list
}

// Members returns the newest member list, nil before the first.
func (l *timeline) Members() []string {
	members, _ := l.now()
	return slices.Clone(members)
}

// now returns the newest member list and a channel that is closed when there is a newer one.
func (l *timeline) now() ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.members, l.changed
}

// Events returns what the agent told since a moment, by the agent's own time stamps.
func (l *timeline) Events(since time.Time) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.events, func(e Event) bool { return !e.At.Before(since) })
	if i < 0 {
		return nil
	}
	return slices.Clone(l.events[i:])
}

// EverSeen returns every name that was ever in a member list, sorted.
func (l *timeline) EverSeen() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, e := range l.events {
		names = append(names, e.Members...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Log returns the last lines of the agent's log.
func (l *timeline) Log() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.log)
}

// read takes a line of standard output.
func (l *timeline) read(line string) {
	var e Event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		l.note(fmt.Sprintf("standard output is not JSON: %v: %q", err, line))
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = last(append(l.events, e), maxEvents)
	if e.Event == "members" {
		l.members = e.Members
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

// note takes a line of the log.
func (l *timeline) note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = last(append(l.log, line), maxLog)
}

// last returns the last n elements of s.
func last[E any](s []E, n int) []E { return s[max(0, len(s)-n):] }
