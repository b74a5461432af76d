package core

import "time"

// restore takes one entry from the own disk.
func (r *replica) restore(e *SharedEntry) {
	if !e.wellFormed() {
		r.emit(Rejected{Reason: reasonFormat})
		return
	}
	e = clone(e)
	if !r.shared.put(e) {
		return
	}
	r.shared.clock.see(e.Stamp, r.cluster.future())
	if r.cluster.isAhead(e.id(), e.Stamp, 0) {
		r.sharedFlood.held.add(e)
	}
	r.emit(RememberShared{Entry: e, Restored: true})
}

// remember has an entry of the shared map kept.
func (r *replica) remember(e *SharedEntry) { r.emit(RememberShared{Entry: e}) }

// report has a shell keep what became of entries.
func (r *replica) report(changed []ended) {
	for _, x := range changed {
		r.stale = r.stale || x.gone
		if x.gone {
			r.emit(ForgetShared{Space: x.entry.Space, Key: x.entry.Key})
		} else {
			r.remember(x.entry)
		}
	}
}

// work ends the values and drops the tombstones of the shared map whose time has come.
func (r *replica) work() {
	r.report(r.shared.collect(r.cluster.moment(), r.aging.aged, collectMost))
}

// collectAt is the running time at which work has something to do, 0 if there is none.
func (r *replica) collectAt() time.Duration {
	at := r.shared.next(r.aging.aged)
	if at == 0 {
		return 0
	}
	return max(1, r.now()+max(0, at.Sub(r.cluster.moment())))
}

// collectMost bounds the keys of the shared map that one step ends: the rest follows in the next step, at once, and what came in
// between goes first.
const collectMost = 1024
