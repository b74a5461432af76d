package reconcile

import (
	"time"

	"github.com/goconvoke/convoke/peer"
)

// Plan is what one round decided. Its slices are nil when there is nothing to do.
type Plan struct {
	Dial      []Call    // to be dialled now; each must be followed by Dialed, or by Overran and Returned
	Drop      []Call    // to be disconnected now; each must be followed by Dropped
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

// Round compares the peers that are wanted with those that are connected. It goes over all peers once, O(peers) without allocation
// when nothing has changed. What it returns as Dial and Drop counts as running until the result of the call comes in.
//
// For each peer the list is applied first, then its age: a peer that is connected does not age, and one whose interest ends here is
// forgotten and not dialled. The due are collected before any is dialled, since those that were never dialled go first whatever
// the order of the map.
func (l *Ledger) Round(connected []peer.Peer, now time.Time) Plan {
	l.markListed(connected)
	var plan Plan
	wanted, managed := 0, 0
	l.due, l.gone = l.due[:0], l.gone[:0]
	for addr, s := range l.peers {
		l.updateConnected(s, now, &plan)
		l.expireWants(s, now, &plan)
		if s.connected {
			managed++
		}
		switch {
		case s.wanted > 0:
			wanted++
			l.collectDue(s, now, &plan)
		case s.connected:
			l.gone = append(l.gone, s)
		case !s.dial.inFlight && !s.drop.running:
			l.forgetPeer(addr, s)
		}
	}
	l.pickDials(&plan, l.maxDials(wanted))
	l.pickDrops(&plan, managed, now)
	return plan
}

// markListed marks the peers whose addresses are connected, and the IDs that are, with the number of this round.
func (l *Ledger) markListed(connected []peer.Peer) {
	l.round++
	if len(l.ids) > 2*len(connected)+64 {
		clear(l.ids)
	}
	for _, c := range connected {
		if c.ID != "" {
			l.ids[c.ID] = idSeen{l.round, c.Addr}
		}
		if s := l.peers[c.Addr]; s != nil {
			s.seen = l.round
		}
	}
}

// updateConnected updates a peer from the list of this round, and adds the transition, if there is one, to the plan.
//
// The attempts are cleared only when the list shows the peer at the end of a backoff: a connection that breaks at once
// each time must not be dialled without a pause.
func (l *Ledger) updateConnected(s *peerState, now time.Time, plan *Plan) {
	is := s.seen == l.round
	if !is && s.dial.ok && s.peer.ID != "" {
		// Dialled with success, and listed under another address of the same node: a name was dialled, or a
		// second interface. Without a dial of ours the ID proves nothing, since another node may have taken it.
		is = l.ids[s.peer.ID].round == l.round
	}
	if is && s.dial.attempts > 0 && !now.Before(s.dial.next) {
		s.dial.attempts, s.dial.err, s.dial.foreign = 0, nil, false
	}
	if is == s.connected {
		return
	}
	s.connected, s.since = is, now
	switch {
	case is && s.wanted > 0:
		plan.Up = append(plan.Up, Call{s.peer, s.ownerTopology(true)})
		s.dial.reported, s.dial.unlisted, s.dial.unlistedSeen = time.Time{}, 0, false
	case is:
	case s.wanted > 0:
		plan.Down = append(plan.Down, Call{s.peer, s.ownerTopology(true)})
		s.resetAge()
	case s.drop.returned > 0:
		plan.Dropped = append(plan.Dropped, Call{s.peer, s.ownerTopology(false)})
	}
}

// resetAge makes a peer as fresh as one that was just named: what was connected until now may come back.
func (s *peerState) resetAge() {
	for _, w := range s.wants {
		w.fresh = w.topology.answering
	}
}

// expireWants ends the interest in a peer that is not connected and that no answer has named for ForgetAfter. Complete answers do that at
// once; this is for sources that give incomplete ones only, whose peers of the past would be dialled for ever.
func (l *Ledger) expireWants(s *peerState, now time.Time, plan *Plan) {
	if s.wanted == 0 || s.connected || s.dial.inFlight {
		return
	}
	owner := ""
	for _, w := range s.wants {
		if w.active && w.age() >= ForgetAfter {
			if owner == "" {
				owner = s.ownerTopology(true)
			}
			w.endWant(now, w.topology.sets)
		}
	}
	if s.wanted == 0 {
		plan.Forgotten = append(plan.Forgotten, Call{s.peer, owner})
	}
}

// age is for how long the topology has given answers that do not name the peer.
func (w *want) age() time.Duration { return w.topology.answering - w.fresh }

// collectDue collects a wanted peer that is to be dialled now.
func (l *Ledger) collectDue(s *peerState, now time.Time, plan *Plan) {
	switch {
	case s.connected || s.dial.inFlight || s.drop.running || s.leaving():
	case now.Before(s.dial.next):
		if plan.Next.IsZero() || s.dial.next.Before(plan.Next) {
			plan.Next = s.dial.next
		}
	default:
		if s.dial.neverListed(l.gossips) {
			plan.Unlisted = append(plan.Unlisted, Call{s.peer, s.ownerTopology(true)})
		}
		l.due = append(l.due, s)
	}
}

// leaving reports whether this node leaves every topology that wants the peer.
func (s *peerState) leaving() bool {
	for _, w := range s.wants {
		if w.active && !w.topology.leaving() {
			return false
		}
	}
	return true
}

// pickDials picks among the due, as many as may still run: those that were not dialled yet first, then
// those that an answer named last, so that addresses of the past delay no present peer. Among equals it
// picks at random, so that the nodes of a cluster do not all dial the same one.
func (l *Ledger) pickDials(plan *Plan, most int) {
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
		s := l.due[i]
		s.dial.inFlight = true
		l.inFlight++
		plan.Dial = append(plan.Dial, Call{s.peer, s.ownerTopology(true)})
	}
}

// rank orders the peers that are due: the lowest is dialled first. Ages count in minutes, the longest time between two
// answers of a source that works.
func (s *peerState) rank() time.Duration {
	if s.dial.attempts == 0 {
		return -1
	}
	youngest := ForgetAfter
	for _, w := range s.wants {
		if w.active {
			youngest = min(youngest, w.age())
		}
	}
	return youngest.Truncate(time.Minute)
}

// pickDrops picks the peers to disconnect: those that moved at once, the others under the rules of pruning. At most a share of the
// connected peers is dropped within an Interval, so that an answer that is wrong and complete takes apart a cluster slowly enough to
// be noticed. The share is of the peers at the start of the batch: of those left it would shrink with each drop.
func (l *Ledger) pickDrops(plan *Plan, managed int, now time.Time) {
	if now.Sub(l.dropWindow) >= Interval {
		l.dropped = 0 // the next drop begins a batch
	}
	if l.dropped == 0 {
		l.dropWindow, l.dropBase = now, managed
	}
	l.noteArrived()
	for _, s := range l.gone {
		if s.drop.running || s.dial.inFlight || now.Before(s.drop.next) {
			continue
		}
		if !l.hasMoved(s) {
			fraction, ok := s.pruneShare(now)
			// One at least: in a cluster of three no share of a third would ever drop a peer.
			if !ok || l.dropped >= max(1, int(fraction*float64(l.dropBase))) {
				continue
			}
			l.dropped++
		}
		s.drop.running = true
		plan.Drop = append(plan.Drop, Call{s.peer, s.ownerTopology(false)})
	}
}

// noteArrived collects the IDs of the wanted peers whose own address is connected, if any
// peer could have moved at all.
func (l *Ledger) noteArrived() {
	clear(l.arrived)
	if len(l.gone) == 0 {
		return
	}
	for _, s := range l.peers {
		if s.wanted > 0 && s.peer.ID != "" && s.seen == l.round {
			l.arrived[s.peer.ID] = true
		}
	}
}

// hasMoved reports whether the node of a peer no longer wanted is wanted, and connected, at another
// address.
func (l *Ledger) hasMoved(s *peerState) bool {
	return s.peer.ID != "" && l.arrived[s.peer.ID] && !s.neverPruned()
}

// neverPruned reports whether a topology that wants or wanted the peer keeps what is connected.
func (s *peerState) neverPruned() bool {
	for _, w := range s.wants {
		if w.topology.prune.Never {
			return true
		}
	}
	return false
}

// pruneShare reports whether every topology that wanted the peer has left it out, and the smallest
// share of peers that they allow to be dropped at once.
func (s *peerState) pruneShare(now time.Time) (fraction float64, ok bool) {
	fraction = 1
	for _, w := range s.wants {
		if !w.leftOut(now) {
			return 0, false
		}
		fraction = min(fraction, w.topology.prune.MaxFraction)
	}
	return fraction, true
}

// ownerTopology names a topology that wants the peer (or wanted it), the first by name.
func (s *peerState) ownerTopology(wants bool) string {
	name := ""
	for _, w := range s.wants {
		if w.active == wants && (name == "" || w.topology.name < name) {
			name = w.topology.name
		}
	}
	return name
}

// forgetPeer deletes a peer that no topology wants and that is not connected, and with its last peer a topology that was removed.
func (l *Ledger) forgetPeer(addr string, s *peerState) {
	delete(l.peers, addr)
	for _, w := range s.wants {
		t := w.topology
		delete(t.wants, addr)
		t.sorted = nil
		if t.removed && len(t.wants) == 0 {
			delete(l.topologies, t.name)
		}
	}
}
