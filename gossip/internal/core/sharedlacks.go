package core

import (
	"slices"
	"time"
)

// lackedWrite is a write that was announced and has not come.
type lackedWrite struct {
	version SharedVersion
	from    []LinkID // that announced it; the first one is asked next
	askAt   time.Duration
}

// onAnnounce notes which announced writes have not come.
func (f *sharedFlood) onAnnounce(l *link, a *SharedAnnounce) {

	for _, v := range a.Entries {
		if f.cluster.isAhead(v.ID, v.Stamp, f.shared.stampOf(v.ID)) || len(f.lacks) >= lackedMost {
			continue
		}
		if f.shared.hasWrite(v) {
			f.markHas(v, l.id)
			continue
		}
		if w := f.lacks[v.ID]; w != nil && w.version.Stamp >= v.Stamp {
			if !slices.Contains(w.from, l.id) {
				w.from = append(w.from, l.id)
			}
			continue
		}
		if f.lacks == nil {
			f.lacks = map[uint64]*lackedWrite{}
		}
		w := &lackedWrite{version: v, from: []LinkID{l.id}, askAt: f.now() + f.askAfter()}
		f.lacks[v.ID] = w
		f.waiting = append(f.waiting, w)
		soonest(&f.askAt, w.askAt)
	}
}

// askAfter is how long an announced write may take to come by the tree: one or a few more hops. By chance, so that of a part of the
// tree that was cut off one member asks, and the others get the write from it.
func (f *sharedFlood) askAfter() time.Duration {
	return 1*f.cfg.Coalesce + time.Duration(f.rng.Int64N(int64(f.cfg.Coalesce)))
}

// lackedMost bounds the announced writes that are waited for; the comparison of hashes finds the others.
const lackedMost = 1 << 13

// askAtOnce is how many links are asked for a lost write at once: that it is late shows that links lose packets.
const askAtOnce = 2

// askAgainAfter is how long the answer to a question may take.
const askAgainAfter = 25 * time.Millisecond

// askForLacked asks for the writes that were announced and have not come, each over one of the links that announced it, and makes these
// links eager.
func (f *sharedFlood) askForLacked() {
	now := f.now()
	ask := map[LinkID][]claim{}
	kept := f.waiting[:0]
	for _, w := range f.waiting {
		switch {
		case f.lacks[w.version.ID] != w:
			continue // replaced by a newer write
		case f.shared.hasWrite(w.version):
			delete(f.lacks, w.version.ID)
			continue
		case now >= w.askAt:
			if len(w.from) == 0 { // the next announcement, or comparison of hashes, finds it
				delete(f.lacks, w.version.ID)
				continue
			}
			n := min(askAtOnce, len(w.from))
			for _, from := range w.from[:n] {
				ask[from] = append(ask[from], claim{id: w.version.ID, hi: uint64(w.version.Stamp)})
			}
			w.from, w.askAt = w.from[n:], now+askAgainAfter
		}
		soonest(&f.askAt, w.askAt)
		kept = append(kept, w)
	}
	clear(f.waiting[len(kept):])
	f.waiting = kept
	for _, l := range f.links.list {
		if lacks := ask[l.id]; len(lacks) > 0 {
			f.setLazy(l, false)
			l.grafted = f.now()
			f.sharedMaps.ask(l, lacks)
		}
	}
}
