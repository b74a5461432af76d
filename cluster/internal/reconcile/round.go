package reconcile

import (
	"time"

	"github.com/goconvoke/convoke/peer"
)

// Plan is what one round decided. Its slices are nil when there is nothing to do.
type Plan struct {
	Dial []Call      // to be dialled now; each must be answered by Dialed
	Drop []Call      // to be disconnected now; each must be answered by Dropped
	Up   []peer.Peer // wanted peers that are connected since this round
	Down []peer.Peer // wanted peers that were connected until this round
	Next time.Time   // when a backoff ends that a round should follow; zero if none waits
}

// Call is a peer and the topology on whose behalf it is dialled or dropped.
type Call struct {
	Peer     peer.Peer
	Topology string
}

// Round compares who is wanted with who is connected.
func (l *Ledger) Round(connected []peer.Peer, now time.Time) Plan {
	l.note(connected)
	var plan Plan
	wanted, managed := 0, 0
	l.due, l.gone = l.due[:0], l.gone[:0]
	for addr, r := range l.rows {
		l.settle(r, now, &plan)
		if r.connected {
			managed++
		}
		switch {
		case r.wanted > 0:
			wanted++
			l.consider(r, now, &plan)
		case r.connected:
			l.gone = append(l.gone, r)
		case !r.dial.inFlight && !r.dropping:
			l.forget(addr, r)
		}
	}
	l.dial(&plan, l.contacts(wanted))
	l.drop(&plan, managed, now)
	return plan
}

// note marks the rows whose addresses are connected, and the IDs that are.
func (l *Ledger) note(connected []peer.Peer) {
	l.round++
	if len(l.ids) > 2*len(connected)+64 {
		clear(l.ids)
	}
	for _, c := range connected {
		if c.ID != "" {
			l.ids[c.ID] = idSeen{l.round, c.Addr}
		}
		if r := l.rows[c.Addr]; r != nil {
			r.seen = l.round
		}
	}
}

// settle brings a row in line with the list of this round.
func (l *Ledger) settle(r *row, now time.Time, plan *Plan) {
	is := r.seen == l.round
	if !is && r.dial.ok && r.peer.ID != "" {
		// Dialled with success, and listed under another address of the same node.
		is = l.ids[r.peer.ID].round == l.round
	}
	if is && r.dial.attempts > 0 && !now.Before(r.dial.next) {
		r.dial.attempts, r.dial.err, r.dial.foreign = 0, nil, false
	}
	if is == r.connected {
		return
	}
	r.connected, r.since = is, now
	switch {
	case r.wanted == 0:
	case is:
		plan.Up = append(plan.Up, r.peer)
		r.dial.reported = time.Time{}
	default:
		plan.Down = append(plan.Down, r.peer)
	}
}

// consider collects a wanted peer that is to be dialled now.
func (l *Ledger) consider(r *row, now time.Time, plan *Plan) {
	switch {
	case r.connected || r.dial.inFlight || r.dropping || r.leaving():
	case now.Before(r.dial.next):
		if plan.Next.IsZero() || r.dial.next.Before(plan.Next) {
			plan.Next = r.dial.next
		}
	default:
		l.due = append(l.due, r)
	}
}

// leaving reports whether every topology that wants the peer has this node leaving.
func (r *row) leaving() bool {
	for _, f := range r.refs {
		if f.wants && !f.topology.leaving() {
			return false
		}
	}
	return true
}

// dial picks among the due at random, as many as may still run.
func (l *Ledger) dial(plan *Plan, most int) {
	n := min(len(l.due), most-l.inFlight)
	for i := range max(0, n) {
		j := i + l.rand.IntN(len(l.due)-i)
		l.due[i], l.due[j] = l.due[j], l.due[i]
		r := l.due[i]
		r.dial.inFlight = true
		l.inFlight++
		plan.Dial = append(plan.Dial, Call{r.peer, r.owner(true)})
	}
}

// drop picks those to disconnect: who moved at once, the others under the rules of pruning.
func (l *Ledger) drop(plan *Plan, managed int, now time.Time) {
	if now.Sub(l.dropWindow) >= Interval {
		l.dropped = 0
	}
	if l.dropped == 0 {
		l.dropWindow, l.dropBase = now, managed
	}
	l.noteArrived()
	for _, r := range l.gone {
		if r.dropping || r.dial.inFlight || now.Before(r.dial.next) {
			continue
		}
		if !l.moved(r) {
			fraction, ok := r.prunable(now)
			if !ok || l.dropped >= max(1, int(fraction*float64(l.dropBase))) {
				continue
			}
			l.dropped++
		}
		r.dropping = true
		plan.Drop = append(plan.Drop, Call{r.peer, r.owner(false)})
	}
}

// noteArrived collects the IDs of the wanted peers whose own address is connected, if anybody
// could have moved at all.
func (l *Ledger) noteArrived() {
	clear(l.arrived)
	if len(l.gone) == 0 {
		return
	}
	for _, r := range l.rows {
		if r.wanted > 0 && r.peer.ID != "" && r.seen == l.round {
			l.arrived[r.peer.ID] = true
		}
	}
}

// moved reports whether the node of a peer no longer wanted is wanted, and connected, at another
// address.
func (l *Ledger) moved(r *row) bool {
	return r.peer.ID != "" && l.arrived[r.peer.ID] && !r.never()
}

func (r *row) never() bool {
	for _, f := range r.refs {
		if f.topology.prune.Never {
			return true
		}
	}
	return false
}

// prunable reports whether every topology that wanted the peer has left it out, and the smallest
// share of peers that they let go at once.
func (r *row) prunable(now time.Time) (fraction float64, ok bool) {
	fraction = 1
	for _, f := range r.refs {
		if !f.leftOut(now) {
			return 0, false
		}
		fraction = min(fraction, f.topology.prune.MaxFraction)
	}
	return fraction, true
}

// owner names a topology that wants the peer (or wanted it), the first by name.
func (r *row) owner(wants bool) string {
	name := ""
	for _, f := range r.refs {
		if f.wants == wants && (name == "" || f.topology.name < name) {
			name = f.topology.name
		}
	}
	return name
}

// forget ends a row that nobody wants and that is not connected.
func (l *Ledger) forget(addr string, r *row) {
	delete(l.rows, addr)
	for _, f := range r.refs {
		t := f.topology
		delete(t.refs, addr)
		if t.removed && len(t.refs) == 0 {
			delete(l.topologies, t.name)
		}
	}
}
