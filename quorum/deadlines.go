package quorum

import "time"

// untilCheck returns when a lease or a deadline is to be looked at again.
func (w *worker) untilCheck() time.Duration {
	next := far
	for session := range w.sessions {
		next = min(next, w.engine.leaseLeft(session)-w.margin)
	}
	w.dropReturned()
	if len(w.ended) > 0 {
		next = min(next, time.Until(w.ended[0].deadline))
	}
	return max(next, 0)
}

// checkLeases ends the contexts that rest on a lease which is about to end.
func (w *worker) checkLeases() {
	for session := range w.sessions {
		if w.engine.leaseLeft(session) > w.margin {
			continue
		}
		for _, c := range w.calls {
			if c.hold.state.session == session {
				w.endCall(c, ErrLost)
			}
		}
	}
}

// checkDeadlines reports whether a call has missed its deadline to return. Each one that did is logged once, on a goroutine of its own, so that
// a log that blocks delays nothing.
func (w *worker) checkDeadlines() (missed bool) {
	for w.dropReturned(); len(w.ended) > 0 && time.Until(w.ended[0].deadline) <= 0; w.dropReturned() {
		c := w.ended[0]
		w.ended = w.ended[1:]
		c.late, missed = true, true
		w.stuck.Add(1)
		w.wg.Go(func() {
			w.log.Error("function did not return after its context ended; the shard stays here as long as the session lives", "shard", c.hold.Shard,
				"token", uint64(c.hold.Token), "elapsed", w.handover)
		})
	}
	return missed
}

// dropReturned drops calls that have returned from the head of the list, which is in the order of deadlines.
func (w *worker) dropReturned() {
	for len(w.ended) > 0 && w.ended[0].returned {
		w.ended = w.ended[1:]
	}
}
