// Package core is the membership protocol as a deterministic state machine.
//
// A [Core] takes what happened ([Input]) and returns what to do ([Output]); it opens no socket, reads no clock and starts
// no goroutine. The same inputs at the same times with the same random source give the same outputs. Calls are not safe for
// concurrent use: one loop owns a Core.
//
// Each node holds links to its neighbours on K hash rings and publishes them in its own record; a member is up exactly when it
// is reachable over links that both ends publish. Records travel as Scuttlebutt deltas (van Renesse et al., "Efficient
// reconciliation and flow control for anti-entropy protocols", LADIS 2008). docs/protocol.md describes the whole protocol.
package core

import (
	"math/rand/v2"
	"time"
)

// maxRings bounds Config.Rings.
const maxRings = 8

// Core is the state of one node.
type Core struct {
	*host
	store   store   // the records of all members
	self    *slot   // of this node, in store
	links   links   // the streams in use, and what is published of them
	dials   dialler // the calls to members and seeds
	flood   flood   // changes of records that are on their way out
	judge   verdict // which members are up
	ring    rings   // the neighbours that this node should have
	agreed  bool    // a neighbour had once just what we have: the cluster took our record
	raised  int     // how often we took a higher generation
	sweeper sweeper

	records    exchanger // of the records
	sharedMaps exchanger // of the shared map
	forgotten  map[NodeID]forgottenLife

	shared       sharedMap
	sharedFlood  sharedFlood
	held         heldEntries
	aging        aging
	forgetAt     time.Duration
	giveBackAt   time.Duration // when places without a record are given back next
	keyDeadlines keyDeadlines  // own keys with a TTL
	born         Stamp         // when this life began

	clusterClock clusterClock

	fullShown int  // see TakeChanged
	stale     bool // what a view shows differs from what was last announced
	closed    bool // left, or superseded
}

// New returns a node that knows only itself. The configuration must be valid; rng is the core's alone.
func New(cfg Config, rng *rand.Rand, now time.Time) *Core {
	step := cfg.Heartbeat / 4
	c := &Core{forgotten: map[NodeID]forgottenLife{},
		host: &host{cfg: cfg, node: HashID(cfg.ID), rng: rng, clock: clock{last: now, promise: step, grace: step}}}
	c.records = newExchanger(c.host, &c.links, &recordTable{c})
	c.records.storms = true
	c.sharedMaps = newExchanger(c.host, &c.links, &sharedTable{c})
	c.store = newStore(cfg.Limits)
	c.links = newLinks()
	c.dials = newDialler(cfg.DialCap, rng)
	c.shared = newSharedMap(cfg.Limits.Shared, cfg.Horizon)
	c.born = stampAt(MomentAt(now))
	c.aging.began = never
	c.self = c.store.slot(HashID(cfg.ID))
	c.store.begin(c.self, cfg.ID, cfg.Generation)
	c.writeFirst()
	c.judge.reset(c.self)
	return c
}

// Step takes one input and returns what is to be done, in order. The slice is the caller's.
func (c *Core) Step(now time.Time, in Input) []Output {
	c.out = nil
	if c.closed {
		return nil
	}
	// Time has passed: cluster time is worked out again at its first use in this step.
	c.clusterClock.reset()
	away, stepped := c.clock.advance(now)
	c.store.now = c.now()
	if away > 0 {
		c.emit(Paused{For: away})
	}
	if away > 0 || stepped {
		c.links.announceClock()
	}
	switch in := in.(type) {
	case LinkUp:
		c.linkUp(in)
	case Received:
		c.received(in)
	case LinkDown:
		c.linkDown(in.Link)
	case DialFailed:
		c.dialFailed(in)
	case Join:
		c.dials.name(in.Addrs, c.now())
	case Set:
		c.setKey(in)
	case SetAddr:
		c.setAddr(in.Addr)
	case Delete:
		c.deleteKey(in.Key)
	case SharedSet:
		c.setShared(in)
	case SharedDelete:
		c.deleteShared(in.Key)
	case Remove:
		c.remove(in.ID)
	case Restore:
		c.restore(in)
	case Leave:
		c.leave()
	}
	if !c.closed {
		c.work()
	}
	if c.stale {
		c.stale = false
		c.emit(Changed{})
	}
	return c.out
}

// NextTick is when the next Step is due: with a Tick, if nothing happens before. Being more than a quarter of
// Config.Heartbeat late counts as a pause. It is far off once the core is through, after Leave or Conflict.
func (c *Core) NextTick() time.Time {
	if c.closed {
		return c.clock.last.Add(24 * time.Hour)
	}
	return c.clock.last.Add(c.clock.promise - c.clock.at)
}

// work does what is due and promises the next Step. What one part does can make another due, hence the order: links first,
// since the verdict hangs on them, then the rings, which follow the verdict; what changed is sent last.
func (c *Core) work() {
	now := c.now()
	c.expireDue()
	c.ageDue()
	c.collectDue()
	c.forgetDue()
	c.giveBackDue()
	c.tendLinks()
	c.records.compareDue()
	c.sharedMaps.compareDue()
	c.publishDue()
	c.judgeDue()
	c.ringDue()
	c.dialDue()
	c.publishDue()
	c.pushSharedDue() // before the records: it may take back the removal of one
	c.flushDue()
	c.noteHashes()
	next := now + c.cfg.Heartbeat/4
	for _, at := range []time.Duration{c.flood.due(), c.links.publishAt, c.judge.dueAt, c.ring.dueAt, c.dials.dueAt, c.records.compareAt, c.sharedMaps.compareAt, c.sharedDue(), c.keyDeadlines.first()} {
		if at > 0 {
			next = min(next, at)
		}
	}
	c.clock.promise = max(next, now)
}

// noteHashes records the present hashes of both tables, before others can see them.
func (c *Core) noteHashes() {
	c.records.recordHashes()
	c.sharedMaps.recordHashes()
}

// soonest moves a deadline forward to at; 0 means none is set.
func soonest(deadline *time.Duration, at time.Duration) {
	if *deadline == 0 || at < *deadline {
		*deadline = max(at, 1)
	}
}
