package core

import (
	"cmp"
	"slices"
	"time"
)

// links are all the streams of a node and what is published of them.
type links struct {
	*host
	store               *store
	shared              *sharedMap
	records, sharedMaps *exchanger

	list      []*link // ascending by ID of the peer: a fixed order makes runs repeat
	byID      map[LinkID]*link
	byPeer    map[*slot]*link
	removed   []*link       // of peers that were removed, in byID too
	tendAt    time.Duration // when silent, due and unwanted links are looked for next
	publishAt time.Duration // when links that came or went are published; 0: none did
	published time.Duration // when links were last published
	urgent    bool          // the next publication must not wait
	thin      bool          // this node hangs on links that its rings do not want, see isThin
}

// clear takes all links out of use.
func (ls *links) clear() {
	ls.list, ls.removed, ls.byID, ls.byPeer = nil, nil, map[LinkID]*link{}, map[*slot]*link{}
	ls.tendAt, ls.publishAt, ls.published, ls.urgent, ls.thin = 0, 0, 0, false, false
}

// add takes a link into use. The caller has dropped the one to the same peer, if there was one.
func (ls *links) add(l *link) {
	i, _ := slices.BinarySearchFunc(ls.list, l.peer.node, func(l *link, n NodeID) int { return cmp.Compare(l.peer.node, n) })
	ls.list = slices.Insert(ls.list, i, l)
	ls.byID[l.id], ls.byPeer[l.peer] = l, l
}

func (ls *links) remove(l *link) {
	ls.list = slices.DeleteFunc(ls.list, func(o *link) bool { return o == l })
	delete(ls.byID, l.id)
	if ls.byPeer[l.peer] == l {
		delete(ls.byPeer, l.peer)
	}
	ls.removed = slices.DeleteFunc(ls.removed, func(o *link) bool { return o == l })
}

// drop takes a link out of use, and gives back what was asked for over it.
func (ls *links) drop(l *link) {
	ls.remove(l)
	ls.records.release(l)
	ls.sharedMaps.release(l)
}

// publishSoon has changes that are not urgent published after Config.Relax, and so long after the last time.
func (ls *links) publishSoon(gap time.Duration) {
	if ls.strain() > 0 {
		gap = strainedGap * ls.cfg.Relax
	}
	soonest(&ls.publishAt, max(ls.now()+ls.cfg.Relax, ls.published+ls.patiently(gap)))
}

// publishNow has own links that came or went published with this step: a member that hangs on one of them would be missed, or a dead one
// be taken for reachable, until then.
func (ls *links) publishNow() {
	ls.urgent = true
	soonest(&ls.publishAt, ls.now()+ls.patiently(0))
}

// announceClock has the next heartbeat of every link carry the clock.
func (ls *links) announceClock() {
	for _, l := range ls.list {
		l.clockIn = 0
	}
}

// clockEvery is the number of heartbeats of a link of which one carries the clock: often enough for a limit of a minute, and
// cheap. A step of the own clock is reported with the next heartbeat of every link.
const clockEvery = 8

// beat sends a heartbeat. The hashes in it are recorded before it leaves: the peer may be equal to them when its answer comes and this
// node has gone on, and must count as in step then.
func (ls *links) beat(l *link) {
	b := &Beat{Hash: ls.store.hash, Wanted: ls.wants(l), Eager: l.eager, Shared: ls.shared.hash}
	if ls.now()-l.since < livedFor*ls.cfg.Heartbeat {
		b.Known = uint32(ls.store.known)
	}
	if l.clockIn--; l.clockIn < 0 {
		b.Clock, l.clockIn = ls.clock.last.UnixMilli(), clockEvery-1
	}
	b.Lag = uint32(ls.load.lag.Milliseconds())
	l.beatAt = ls.now()
	ls.recordHashes()
	ls.send(l, b)
}

// isThin reports whether less than half of the links that this node should have are wanted by its rings and published by both ends. After
// a cut those are withheld for a while (see flaps), and what took their place must not be closed before.
func (ls *links) isThin(full int) bool {
	good := 0
	for _, l := range ls.list {
		if l.wanted && ls.bothPublish(l) {
			good++
		}
	}
	return 2*good < full
}

// wants reports whether this node wants a link: on one of its rings, or because it hangs on it.
func (ls *links) wants(l *link) bool { return l.wanted || ls.thin && ls.bothPublish(l) }

func (ls *links) bothPublish(l *link) bool {
	_, both := ls.self.findPeer(l.peer.node)
	return both
}

// setEager makes a link one of the tree that carries bulk, or takes it out. The peer decides what it sends over the link, so it learns of
// that at once, with a heartbeat out of turn.
func (ls *links) setEager(l *link, eager bool) {
	if l.eager != eager {
		l.eager = eager
		ls.beat(l)
	}
}

// recordHashes records the present hashes of both tables, before others can see them.
func (ls *links) recordHashes() {
	ls.records.recordHashes()
	ls.sharedMaps.recordHashes()
}

// strain is the lag of this node or of a neighbour, whichever is more: while a neighbour is behind, there is more to come. It looks at
// some neighbours only if there are many.
func (ls *links) strain() time.Duration {
	lag := ls.load.lag
	for _, l := range ls.list[:min(len(ls.list), maxClocks)] {
		lag = max(lag, l.lag)
	}
	return lag
}

// reportExchanged reports, once for a link, that the first comparison of both tables is over and all that the peer had has come.
func (ls *links) reportExchanged(l *link) {
	if !l.exchanged && l.records.settled() && l.shared.settled() {
		l.exchanged = true
		ls.emit(Exchanged{Link: l.id})
	}
}

// endDraining closes the links of removed peers that do not send a Bye.
func (ls *links) endDraining() {
	for _, l := range slices.Clone(ls.removed) {
		if ls.now() >= l.drainUntil {
			ls.endDrain(l)
		}
	}
}

// endDrain closes the link of a removed peer.
func (ls *links) endDrain(l *link) {
	ls.send(l, &Bye{Reason: ByeRemoved})
	ls.emit(Close{Link: l.id, Graceful: true})
	ls.drop(l)
}
