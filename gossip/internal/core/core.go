package core

import (
	"math/rand/v2"
	"time"
)

// maxRings bounds Config.Rings.
const maxRings = 8

// Core is one node: its parts, and what needs several of them. Each part owns a piece of the state and has verbs of its own; it knows the
// parts that it needs, and no part knows Core. Core hands each input to the part that it is for, lets the parts do what is due in an order
// that is always the same, and answers what a shell asks.
type Core struct {
	*host
	store      store      // the records of all members
	own        ownRecord  // this node's record, as its writer
	links      links      // the streams in use, and what is published of them
	dials      dialler    // the calls to members and seeds
	flood      flood      // changes of records that are on their way out
	judge      verdict    // which members are up
	ring       rings      // the neighbours that this node should have
	forgetting forgetting // members that are gone for long
	cluster    clusterClock

	shared      sharedMap   // the data of the shared map
	replica     replica     // how it changes: own writes, those of others, ends
	sharedFlood sharedFlood // writes that are on their way out
	aging       aging

	records    exchanger // comparison of the records with those of neighbours
	sharedMaps exchanger // of the shared map

	agreed    bool  // a neighbour had once just what we have: the cluster took our record
	raised    int   // how often we took a higher generation
	born      Stamp // when this life began
	fullShown int   // see TakeChanged
}

// New returns a node that knows only itself. The configuration must be valid; rng is the core's alone.
func New(cfg Config, rng *rand.Rand, now time.Time) *Core {
	step := cfg.Heartbeat / 4 // until the first Step, as later between two of them: see work
	c := &Core{
		host:   &host{cfg: cfg, node: HashID(cfg.ID), rng: rng, clock: clock{last: now, promise: step, grace: step}},
		store:  newStore(cfg.Limits),
		shared: newSharedMap(cfg.Limits.Shared, cfg.Horizon),
		born:   stampAt(MomentAt(now)),
	}
	c.connect()
	c.self = c.store.slot(c.node)
	c.store.begin(c.self, cfg.ID, cfg.Generation)
	c.own.writeFirst()
	c.judge.reset(c.self)
	return c
}

// connect makes the parts, each with those that it needs.
func (c *Core) connect() {
	h := c.host
	c.records = newExchanger(h, &c.links, &recordTable{h, &c.store, &c.flood, &c.judge, &c.cluster})
	c.records.storms = true
	c.sharedMaps = newExchanger(h, &c.links, &sharedTable{h, &c.shared, &c.sharedFlood, &c.cluster})
	c.cluster = clusterClock{host: h, links: &c.links}
	c.links = links{host: h, store: &c.store, shared: &c.shared, records: &c.records, sharedMaps: &c.sharedMaps}
	c.links.clear()
	c.flood = flood{host: h, links: &c.links, judge: &c.judge}
	c.own = ownRecord{host: h, store: &c.store, flood: &c.flood, judge: &c.judge}
	c.judge = verdict{host: h, store: &c.store, links: &c.links, ring: &c.ring, flood: &c.flood, forgetting: &c.forgetting}
	c.ring = rings{host: h, store: &c.store, links: &c.links, judge: &c.judge, dials: &c.dials}
	c.dials = dialler{host: h, store: &c.store, links: &c.links, judge: &c.judge, ring: &c.ring, inFlight: map[uint64]*target{}}
	c.forgetting = forgetting{host: h, store: &c.store, links: &c.links, cluster: &c.cluster, judge: &c.judge, flood: &c.flood,
		dials: &c.dials, forgotten: map[NodeID]forgottenLife{}}
	c.sharedFlood = sharedFlood{host: h, links: &c.links, cluster: &c.cluster, shared: &c.shared, sharedMaps: &c.sharedMaps}
	c.replica = replica{host: h, links: &c.links, cluster: &c.cluster, shared: &c.shared, sharedFlood: &c.sharedFlood, aging: &c.aging,
		enforce: c.enforce}
	c.aging = aging{host: h, store: &c.store, links: &c.links, cluster: &c.cluster, judge: &c.judge, ring: &c.ring, shared: &c.shared,
		replica: &c.replica, began: never}
}

// Step takes one input and returns what is to be done, in order. The slice is the caller's.
func (c *Core) Step(now time.Time, in Input) []Output {
	c.out = nil
	if c.closed {
		return nil
	}
	// Time has passed: cluster time is worked out again at its first use in this step.
	c.cluster.reset()
	away, stepped := c.clock.advance(now)
	c.store.now = c.now()
	if away > 0 {
		c.emit(Paused{For: away})
	}
	if away > 0 || stepped {
		c.links.announceClock()
	}
	// The input comes before what is due. It may have waited in the shell's queue past a deadline that it answers: a heartbeat that is
	// here already must count before its link is taken for silent.
	switch in := in.(type) {
	case LinkUp:
		c.linkUp(in)
	case Received:
		c.received(in)
	case LinkDown:
		c.linkDown(in.Link)
	case DialFailed:
		c.dials.failed(in)
	case Join:
		c.dials.name(in.Addrs, c.now())
	case Set:
		c.own.set(in)
	case SetAddr:
		c.own.setAddr(in.Addr)
	case Delete:
		c.own.delete(in.Key)
	case SharedSet:
		c.replica.set(in)
	case SharedDelete:
		c.replica.delete(in.Key)
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
	if c.stale { // once for a step, whatever changed: a view costs the shell more than the change
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

// work does what is due and promises the next Step. What one part does can make another due, hence the order:
//
//   - what ends by age comes first, so that nothing is compared, judged or sent that is over;
//   - links before the verdict, which is worked out over published links, so own links are published before it, too;
//   - the rings after the verdict, since they consist of the members that are up, and dials after the rings, which choose them;
//   - links are published again when the verdict lost members: then none of those that wait to be published may wait longer;
//   - what changed is sent last, together, and the hashes of the result are recorded before the shell sends it.
//
// What a part makes due for one before it waits for the next Step, which is promised for that time.
func (c *Core) work() {
	now := c.now()
	c.own.work()
	c.aging.work()
	c.replica.work()
	c.forgetting.work()
	c.forgetting.giveBackPlaces()
	c.tendLinks()
	c.records.compareDue()
	c.sharedMaps.compareDue()
	c.publishDue()
	c.judge.work()
	c.ring.work()
	c.dials.work()
	c.publishDue()
	c.sharedFlood.work() // before the records: it may take back the removal of one
	c.flood.work()
	c.links.recordHashes()
	next := now + c.cfg.Heartbeat/4
	for _, at := range []time.Duration{c.flood.due(), c.links.publishAt, c.judge.dueAt, c.ring.dueAt, c.dials.dueAt, c.records.compareAt, c.sharedMaps.compareAt, c.sharedFlood.dueAt(), c.replica.collectAt(), c.own.keyDeadlines.first()} {
		if at > 0 {
			next = min(next, at)
		}
	}
	c.clock.promise = max(next, now)
}

// soonest moves a deadline forward to at; 0 means none is set.
func soonest(deadline *time.Duration, at time.Duration) {
	if *deadline == 0 || at < *deadline {
		*deadline = max(at, 1)
	}
}
