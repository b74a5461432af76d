package reconcile

import (
	"time"

	"github.com/goconvoke/convoke/peer"
)

// Plan is what one round decided. Its slices are nil when there is nothing to do.
type Plan struct {
	Dial      []Call    // to be dialled now; each must be answered by Dialed
	Drop      []Call    // to be disconnected now; each must be answered by Dropped
	Up        []Call    // wanted peers that are connected since this round
	Down      []Call    // wanted peers that were connected until this round
	Dropped   []Call    // peers that were disconnected and that the list no longer shows
	Unlisted  []Call    // peers whose dials succeed although the list does not show them; once each
	Forgotten []Call    // peers that were wanted until now and were not named for too long
	Next      time.Time // when a backoff ends that a round should follow; zero if none waits
}

// Call is a peer and the topology that it is dialled or dropped for.
type Call struct {
	Peer     peer.Peer
	Topology string
}

// Round compares the peers that are wanted with those that are connected.
func (l *Ledger) Round(connected []peer.Peer, now time.Time) Plan {
	l.note(connected)
	var plan Plan
	wanted, managed := 0, 0
	l.due, l.gone = l.due[:0], l.gone[:0]
	for addr, r := range l.rows {
		l.settle(r, now, &plan)
		l.expire(r, now, &plan)
		if r.connected {
			managed++
		}
		switch {
		case r.wanted > 0:
			wanted++
			l.consider(r, now, &plan)
		case r.connected:
			l.gone = append(l.gone, r)
		case !r.dial.inFlight && !r.drop.running:
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
	case is && r.wanted > 0:
		plan.Up = append(plan.Up, Call{r.peer, r.owner(true)})
		r.dial.reported, r.dial.unlisted, r.dial.unlistedSeen = time.Time{}, 0, false
	case is:
	case r.wanted > 0:
		plan.Down = append(plan.Down, Call{r.peer, r.owner(true)})
		r.refresh()
	case r.drop.returned > 0:
		plan.Dropped = append(plan.Dropped, Call{r.peer, r.owner(false)})
	}
}

// refresh makes a peer as fresh as one that was just named: what was connected until now may come back.
func (r *row) refresh() {
	for _, f := range r.refs {
		f.fresh = f.topology.answering
	}
}

// expire ends the interest in a peer that is not connected and that no answer has named for ForgetAfter.
func (l *Ledger) expire(r *row, now time.Time, plan *Plan) {
	if r.wanted == 0 || r.connected || r.dial.inFlight {
		return
	}
	owner := ""
	for _, f := range r.refs {
		if f.wants && f.age() >= ForgetAfter {
			if owner == "" {
				owner = r.owner(true)
			}
			f.unwant(now, f.topology.sets)
		}
	}
	if r.wanted == 0 {
		plan.Forgotten = append(plan.Forgotten, Call{r.peer, owner})
	}
}

// age is for how long the topology has given answers that do not name the peer.
func (f *ref) age() time.Duration { return f.topology.answering - f.fresh }

// consider collects a wanted peer that is to be dialled now.
func (l *Ledger) consider(r *row, now time.Time, plan *Plan) {
	switch {
	case r.connected || r.dial.inFlight || r.drop.running || r.leaving():
	case now.Before(r.dial.next):
		if plan.Next.IsZero() || r.dial.next.Before(plan.Next) {
			plan.Next = r.dial.next
		}
	default:
		if r.dial.neverListed(l.gossips) {
			plan.Unlisted = append(plan.Unlisted, Call{r.peer, r.owner(true)})
		}
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

// dial picks among the due, as many as may still run: those that were not dialled yet first, then
// those that an answer named last, so that addresses of the past delay no present peer. Among equals it
// picks at random, so that the nodes of a cluster do not all dial the same one.
func (l *Ledger) dial(plan *Plan, most int) {
	n := min(len(l.due), most-l.inFlight)
	if n > 0 && n < len(l.due) {
		l.rand.Shuffle(len(l.due), func(i, j int) { l.due[i], l.due[j] = l.due[j], l.due[i] })
	}
	for i := range max(0, n) {
		first := i
		for j := i + 1; j < len(l.due) && n < len(l.due); j++ {
			if l.due[j].rank() < l.due[first].rank() {
				first = j
			}
		}
		l.due[i], l.due[first] = l.due[first], l.due[i]
		r := l.due[i]
		r.dial.inFlight = true
		l.inFlight++
		plan.Dial = append(plan.Dial, Call{r.peer, r.owner(true)})
	}
}

// rank orders the peers that are due: the lowest is dialled first. Ages count in minutes, the longest time between two
// answers of a source that works.
func (r *row) rank() time.Duration {
	if r.dial.attempts == 0 {
		return -1
	}
	youngest := ForgetAfter
	for _, f := range r.refs {
		if f.wants {
			youngest = min(youngest, f.age())
		}
	}
	return youngest.Truncate(time.Minute)
}

// drop picks the peers to disconnect: those that moved at once, the others under the rules of pruning.
func (l *Ledger) drop(plan *Plan, managed int, now time.Time) {
	if now.Sub(l.dropWindow) >= Interval {
		l.dropped = 0
	}
	if l.dropped == 0 {
		l.dropWindow, l.dropBase = now, managed
	}
	l.noteArrived()
	for _, r := range l.gone {
		if r.drop.running || r.dial.inFlight || now.Before(r.drop.next) {
			continue
		}
		if !l.moved(r) {
			fraction, ok := r.prunable(now)
			if !ok || l.dropped >= max(1, int(fraction*float64(l.dropBase))) {
				continue
			}
			l.dropped++
		}
		r.drop.running = true
		plan.Drop = append(plan.Drop, Call{r.peer, r.owner(false)})
	}
}

// noteArrived collects the IDs of the wanted peers whose own address is connected, if any
// peer could have moved at all.
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

// forget ends a row that no topology wants and that is not connected.
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
