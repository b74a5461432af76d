package core

// giveBackPlaces gives back the places of nodes that have no record, no link and no dial, once in a while, or at once if there are many.
func (f *forgetting) giveBackPlaces() {
	spare := len(f.store.slots) - f.store.known
	if f.now() < f.giveBackAt && spare < min(f.store.known+maxSpare, f.cfg.Limits.Members) {
		return
	}
	f.giveBackAt = f.now() + 60*f.cfg.Heartbeat
	if spare == 0 || f.judge.held != 0 { // a verdict that is held back remembers places by their index: see verdict.seen
		return
	}
	dialled := map[*slot]bool{}
	for _, t := range f.dials.inFlight {
		dialled[t.slot] = true
	}
	draining := map[*slot]bool{}
	for _, l := range f.links.removed {
		draining[l.peer] = true
	}
	f.store.giveBack(func(t *slot) bool {
		return f.links.byPeer[t] != nil || dialled[t] || draining[t] || t.want != wantNone
	})
}

// maxSpare is the number of places without a record from which on they are given back at once.
const maxSpare = 64
