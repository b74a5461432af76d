package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
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

// timeline holds what one agent has printed so far.
type timeline struct {
	mu      sync.Mutex
	events  []Event
	members []string
	log     []string
	kinds   map[string]int // lines of the log by kind
	changed chan struct{}  // closed and replaced at each new member list
	all     io.Writer      // gets every line; nil: discarded
}

// logLine finds the message of a log line, which is constant: what varies are the pairs behind it.
var logLine = regexp.MustCompile(`^\S+ \[[A-Z]+\]\s+[\w.-]+: (.*?)(?::(?: \w+=.*)?)?$`)

// kind returns what kind of line a line of the log is; "" for a further line of the one before.
func kind(line string) string {
	if strings.HasPrefix(line, "  ") {
		return ""
	}
	if m := logLine.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return "no line of a log"
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

// Events returns what the agent printed since a moment, by the agent's own time stamps.
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

// LogKinds returns how many lines of each kind were logged so far. The kind of a line is its message without the pairs.
func (l *timeline) LogKinds() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.kinds)
}

// forgetMembers makes the newest member list nil, as before the first.
func (l *timeline) forgetMembers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.members = nil
}

// keep writes a line to where all go.
func (l *timeline) keep(line string) {
	if l.all != nil {
		_, _ = io.WriteString(l.all, line+"\n") // they only help to understand a failure
	}
}

// read takes a line of standard output.
func (l *timeline) read(line string) {
	l.keep(line)
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
	l.keep(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := kind(line); k != "" {
		if l.kinds == nil {
			l.kinds = map[string]int{}
		}
		l.kinds[k]++
	}
	l.log = last(append(l.log, line), maxLog)
}

// last returns the last n elements of s.
func last[E any](s []E, n int) []E { return s[max(0, len(s)-n):] }
