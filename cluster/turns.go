package cluster

import (
	"slices"
	"time"

	"github.com/goconvoke/convoke/internal/ratelog"
)

// turnBurst is how many further lines of a subject come at once: two faults with their ends, and the first line of a third.
const turnBurst = 4

// turns are the lines about what is in one of two states, such as a topology that is whole or not: the two lines of one subject are paced
// together, so that the last line in the log has the state of now. The reporter's mutex guards them.
type turns map[string]*ratelog.Held[line]

// add reports whether a line is logged now. If not, it is held.
func (t turns) add(subject string, l line, now time.Time) (pass bool) {
	h := t[subject]
	if h == nil {
		h = &ratelog.Held[line]{Pacer: ratelog.Pacer{Burst: turnBurst}}
		t[subject] = h
	}
	if h.Pass(now) {
		return true
	}
	h.Add(l, 1, now)
	return false
}

// take returns the lines that are due, or all, in the order in which they came, and the time of the next; zero if none waits.
func (t turns) take(now time.Time, all bool) (lines []line, next time.Time) {
	var due []*ratelog.Held[line]
	for subject, h := range t {
		at, holds := h.Due()
		switch {
		case !holds:
			if h.Calm(now) {
				delete(t, subject)
			}
		case all || !now.Before(at):
			due = append(due, h)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	slices.SortFunc(due, func(a, b *ratelog.Held[line]) int { return a.Newest().Compare(b.Newest()) })
	for _, h := range due {
		l, more := h.Take(now)
		l.args = append(slices.Clip(l.args), more...)
		lines = append(lines, l)
	}
	return lines, next
}
