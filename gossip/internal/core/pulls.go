package core

import (
	"slices"
	"time"
)

// pull is an item that is asked for over a link.
type pull struct {
	link LinkID
	at   time.Duration
}

// pull asks a peer for what we lack, unless enough is under way. What is asked for over another link is left to that.
func (e *exchanger) pull(l *link) {
	x := e.table.of(l)
	x.batch = max(x.batch, minBatch)
	for x.itemAsks() < maxAsks && len(x.missing) > 0 {
		var items, elsewhere []claim
		rest := x.missing
		for len(rest) > 0 && len(items) < x.batch {
			m := rest[0]
			rest = rest[1:]
			switch {
			case e.table.claim(m.id).compare(m) >= 0: // it has come meanwhile
			case e.pulledElsewhere(m.id):
				elsewhere = append(elsewhere, m)
			default:
				items = append(items, m)
			}
		}
		x.missing = orNil(append(slices.Clip(rest), elsewhere...))
		if len(items) == 0 {
			return
		}
		e.ask(l, items)
	}
}

// pulledElsewhere reports whether an item is asked for and its answer may still come.
func (e *exchanger) pulledElsewhere(id uint64) bool {
	p, asked := e.pulls[id]
	return asked && e.now()-p.at < askTimeout && e.links.byID[p.link] != nil
}

// ask asks a peer for items that it has at the versions given.
func (e *exchanger) ask(l *link, items []claim) {
	x := e.table.of(l)
	ours := make([]claim, len(items))
	if e.pulls == nil {
		e.pulls = make(map[uint64]pull, len(items))
	}
	for i, m := range items {
		e.pulls[m.id] = pull{l.id, e.now()}
		ours[i] = e.table.claim(m.id)
	}
	x.asks = append(x.asks, ask{items: items, at: e.now()})
	e.table.sendDigest(l, 0, false, ours)
}

// endPull notes that an item is not asked for any more over a link. The map grows with the first pull of a newcomer, which asks for
// all that there is, and goes when nothing is asked for.
func (e *exchanger) endPull(id uint64, l *link) {
	if e.pulls[id].link != l.id {
		return
	}
	if delete(e.pulls, id); len(e.pulls) == 0 {
		e.pulls = nil
	}
}

// onLast deals with the end of an answer: what did not fit is asked for again, unless the answer brought nothing.
func (e *exchanger) onLast(l *link) {
	x := e.table.of(l)
	a := x.answered()
	x.compared = true
	var left []claim
	for _, m := range a.items {
		e.endPull(m.id, l)
		if e.table.claim(m.id).compare(m) < 0 && e.table.takes(m) {
			left = append(left, m)
		}
	}
	switch {
	case len(a.items) == 0:
	case len(left) == 0: // all of it fitted into one window
		x.batch = min(2*x.batch, maxBatch)
	case !a.news: // refused here, or gone there
	default: // cut at a window: ask for twice what fitted
		x.batch = max(minBatch, min(x.batch, 2*(len(a.items)-len(left))))
		x.missing = append(left, x.missing...)
	}
	e.pull(l)
}

// fillGaps asks for items of which a part was missing, unless that was asked for a moment ago: all neighbours show the same gap.
func (e *exchanger) fillGaps(l *link, gaps []claim) {
	gaps = slices.DeleteFunc(gaps, func(g claim) bool {
		p, asked := e.pulls[g.id]
		return asked && e.now()-p.at < gapPause
	})
	if len(gaps) > 0 {
		e.ask(l, gaps)
	}
}

// gapPause is how long a gap is not asked about again.
const gapPause = 200 * time.Millisecond

// tend ends asks whose answer has ceased to come, and goes on with what was left to other links.
func (e *exchanger) tend(l *link) {
	x := e.table.of(l)
	if x.pending {
		e.begin(l, false)
	}
	for len(x.asks) > 0 && e.now()-x.asks[0].at > askTimeout {
		for _, m := range x.answered().items {
			e.endPull(m.id, l)
		}
	}
	e.pull(l)
}

// release gives back what was asked for over a link that ended.
func (e *exchanger) release(l *link) {
	for _, a := range e.table.of(l).asks {
		for _, m := range a.items {
			e.endPull(m.id, l)
		}
	}
}
