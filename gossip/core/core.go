// Package core is the membership protocol as a deterministic state machine.
//
// A [Core] is told what happens ([Input]) and answers with what to do ([Output]); it opens no socket, reads no clock and starts
// no goroutine. The same inputs at the same times with the same random source give the same outputs. Calls are not safe for
// concurrent use: one loop owns a Core.
//
// Each node holds links to its neighbours on K hash rings and publishes them in its own record; a member is up exactly when it
// is reachable over links that both ends publish. Records travel as Scuttlebutt deltas (van Renesse et al., "Efficient
// reconciliation and flow control for anti-entropy protocols", LADIS 2008).
package core

import (
	"math/rand/v2"
	"time"
)

// maxRings bounds Config.Rings.
const maxRings = 8

// Core is the state of one node.
type Core struct {
	cfg   Config
	rng   *rand.Rand
	clock clock
	out   []Output

	store   store
	self    *slot
	links   links
	dials   dialler
	flood   flood
	judge   verdict
	ring    rings
	agreed  bool // a neighbour had once just what we have: the cluster took our record
	raised  int  // how often we took a higher generation
	sweeper sweeper

	shared      sharedMap
	sharedFlood sharedFlood
	held        heldEntries
	aging       aging
	forgetAt    time.Duration
	lives       map[string]time.Duration // own keys with a TTL: when they end
	expireAt    time.Duration            // the first of them; 0: there is none
	born        Stamp                    // when this life began
	inStep      time.Duration            // when all neighbours were last seen to have what we have

	clusterClock clusterClock

	stale  bool // the view differs from what was last announced
	closed bool // left, or superseded
}

// New returns a node that knows only itself. The configuration must be valid; rng is the core's alone.
func New(cfg Config, rng *rand.Rand, now time.Time) *Core {
	c := &Core{cfg: cfg, rng: rng}
	step := cfg.Heartbeat / 4
	c.clock = clock{last: now, promise: step, grace: step}
	c.store = newStore(cfg.Limits)
	c.links = newLinks()
	c.dials = newDialler()
	c.shared = newSharedMap(cfg.Limits.Shared, cfg.Horizon)
	c.born = stampAt(MomentAt(now))
	c.self = c.store.slot(HashID(cfg.ID))
	c.store.begin(c.self, cfg.ID, cfg.Generation)
	c.store.write(c.self, Entry{Kind: KindMeta, Key: MetaAddr, Value: cfg.Addr})
	c.judge.reset(c.self)
	return c
}

// Step takes one input and returns what is to be done, in order. The slice is the caller's.
func (c *Core) Step(now time.Time, in Input) []Output {
	c.out = nil
	if c.closed {
		return nil
	}
	c.clusterClock.reset()
	if d := c.clock.advance(now); d > 0 {
		c.emit(Paused{For: d})
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
		c.dials.addSeeds(in.Addrs, c.now())
	case Set:
		c.setKey(in)
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
	c.tendLinks()
	c.publishDue()
	c.judgeDue()
	c.ringDue()
	c.dialDue()
	c.publishDue()
	c.pushSharedDue() // before the records: it may say that one is welcome again
	c.flushDue()
	next := now + c.cfg.Heartbeat/4
	for _, at := range []time.Duration{c.flood.due(), c.links.publishAt, c.judge.dueAt, c.ring.dueAt, c.dials.dueAt, c.sharedDue(), c.expireAt} {
		if at > 0 {
			next = min(next, at)
		}
	}
	c.clock.promise = max(next, now)
}

func (c *Core) now() time.Duration { return c.clock.at }

func (c *Core) emit(o Output) { c.out = append(c.out, o) }

func (c *Core) send(l *link, f Frame) {
	l.sent = c.now()
	c.emit(Send{Link: l.id, Frame: f})
}

// jitter spreads d by ±20 %, so that nodes started together do not act together.
func (c *Core) jitter(d time.Duration) time.Duration {
	return d - d/5 + time.Duration(c.rng.Int64N(int64(2*d/5)+1))
}

// soonest moves a deadline forward to at; 0 means none is set.
func soonest(deadline *time.Duration, at time.Duration) {
	if *deadline == 0 || at < *deadline {
		*deadline = max(at, 1)
	}
}
