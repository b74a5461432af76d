package pacedlog

import (
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/internal/ratelog"
)

const (
	burst    = 5    // further lines of a kind that are passed on at once
	maxKinds = 1000 // that are known at a time; beyond, all of one level count as one, since messages may hold text from outside
)

// kind is what is paced together.
type kind struct {
	name    string
	level   hclog.Level
	message string
	subject string // the topology or connector, "" for neither
}

// kinds are the lines that are not logged yet, and when those of their kinds were.
type kinds struct {
	known map[kind]*ratelog.Held[line]
	due   time.Time // when the first of what is held is due; zero: nothing is held
}

// add reports whether a line is logged now. If not, it is held.
func (k *kinds) add(l line, now time.Time) (pass bool) {
	h := k.find(kind{l.name, l.level, l.message, subjectOf(l.pairs)}, now)
	if h.Pass(now) {
		return true
	}
	var unlogged int
	l.pairs, unlogged = cutUnlogged(l.pairs)
	h.Add(l, 1+unlogged, now)
	if at, _ := h.Due(); k.due.IsZero() || at.Before(k.due) {
		k.due = at
	}
	return false
}

// find returns what is held of a kind.
func (k *kinds) find(one kind, now time.Time) *ratelog.Held[line] {
	if k.known[one] == nil && len(k.known) >= maxKinds {
		k.removeCalm(now)
	}
	if k.known[one] == nil && len(k.known) >= maxKinds {
		one = kind{level: one.level}
	}
	if k.known == nil {
		k.known = make(map[kind]*ratelog.Held[line])
	}
	if k.known[one] == nil {
		k.known[one] = &ratelog.Held[line]{Pacer: ratelog.Pacer{Burst: burst}}
	}
	return k.known[one]
}

// removeCalm removes the kinds that are as if they had never been logged.
func (k *kinds) removeCalm(now time.Time) {
	for one, h := range k.known {
		if _, holds := h.Due(); !holds && h.Calm(now) {
			delete(k.known, one)
		}
	}
}

// take returns the lines that are due, or all, in the order in which they came. k.due is that of the next one then.
func (k *kinds) take(now time.Time, all bool) (lines []line) {
	if !all && (k.due.IsZero() || now.Before(k.due)) {
		return nil
	}
	k.due = time.Time{}
	var due []*ratelog.Held[line]
	for _, h := range k.known {
		at, holds := h.Due()
		switch {
		case !holds:
		case all || !now.Before(at):
			due = append(due, h)
		case k.due.IsZero() || at.Before(k.due):
			k.due = at
		}
	}
	slices.SortFunc(due, func(a, b *ratelog.Held[line]) int { return a.Newest().Compare(b.Newest()) })
	for _, h := range due {
		l, more := h.Take(now)
		l.pairs = append(slices.Clip(l.pairs), more...)
		lines = append(lines, l)
	}
	return lines
}

// subjectOf returns which topology or connector a line is about.
func subjectOf(pairs []any) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == "topology" || pairs[i] == "connector" {
			s, _ := pairs[i+1].(string)
			return s
		}
	}
	return ""
}

// cutUnlogged returns the pairs without the number of lines that were not logged before this one, and the number.
func cutUnlogged(pairs []any) (rest []any, unlogged int) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if n, ok := pairs[i+1].(int); ok && pairs[i] == ratelog.UnloggedKey {
			return slices.Concat(pairs[:i], pairs[i+2:]), n
		}
	}
	return pairs, 0
}
