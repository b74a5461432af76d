package core

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// fullDelta is the whole own record.
func (t *slot) fullDelta() []RecordDelta { return t.since(0, 0).split() }

// writeFirst writes what the own record has from the start.
func (c *Core) writeFirst() {
	protocol := ""
	if c.cfg.Protocol != 0 {
		protocol = strconv.Itoa(int(c.cfg.Protocol))
	}
	meta := []Entry{{Key: MetaAddr, Value: c.cfg.Addr}, {Key: MetaProtocol, Value: protocol}, {Key: MetaZone, Value: c.cfg.Zone},
		{Key: MetaVersion, Value: c.cfg.Version}}
	for _, e := range meta {
		if e.Value != "" {
			e.Kind = KindMeta
			c.store.write(c.self, e)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.cfg.Keys)) {
		c.setKey(Set{Key: key, Value: c.cfg.Keys[key]})
	}
}

// wrote spreads what was written to the own record above version prev.
func (c *Core) wrote(prev uint64, urgent bool) {
	c.stale = true
	it := c.mark(c.self, prev, 0, urgent)
	it.relayed = it.relayed || urgent
}

// setAddr publishes another address. The record has it, not only the next handshake: members that hold no link to this node dial it too.
func (c *Core) setAddr(addr string) {
	if addr == c.cfg.Addr || addr == "" || len(addr) > MaxValue {
		return
	}
	c.cfg.Addr = addr
	prev := c.self.rec.version
	c.store.write(c.self, Entry{Kind: KindMeta, Key: MetaAddr, Value: addr})
	c.wrote(prev, true)
}

// setKey writes an own key. The time to live is set first: a Set of the same value prolongs the life of the key, and writes nothing.
func (c *Core) setKey(in Set) {
	if c.CheckSet(in.Key, in.Value) != nil {
		c.emit(Rejected{Reason: "own key exceeds a limit"})
		return
	}
	c.setLife(in.Key, in.TTL)
	if e, ok := c.self.rec.lookup(KindUser, in.Key); ok && e.Value == in.Value {
		return
	}
	prev := c.self.rec.version
	c.store.write(c.self, Entry{Kind: KindUser, Key: in.Key, Value: in.Value})
	c.wrote(prev, true)
}

// deleteKey deletes an own key. Its tombstone stays for Config.Tombstone, so that a node with the value learns that it is gone.
func (c *Core) deleteKey(key string) {
	c.keyDeadlines.remove(key)
	if _, ok := c.self.rec.lookup(KindUser, key); !ok {
		return
	}
	prev := c.self.rec.version
	c.store.write(c.self, Entry{Kind: KindUser, Key: key, Deleted: true})
	c.wrote(prev, true)
}

// leave sends a Bye over all links and closes them; the record has it for the nodes that were not linked to us.
func (c *Core) leave() {
	prev := c.self.rec.version
	c.store.write(c.self, Entry{Kind: KindMeta, Key: MetaLeft})
	c.wrote(prev, true)
	c.push(c.flood.take(true), false)
	c.pushAllShared()
	c.closeAll(ByeLeft)
}

// closeAll ends all links with a reason, those of removed peers too. The core does nothing after it; see Core.closed.
func (c *Core) closeAll(why ByeReason) {
	for _, l := range append(slices.Clone(c.links.list), c.links.removed...) {
		c.send(l, &Bye{Reason: why})
		c.emit(Close{Link: l.id, Graceful: true})
	}
	c.links = newLinks()
	c.closed, c.stale = true, true
}

// maxRaised bounds how often a node takes a higher generation, so that two of one name cannot outbid each other for ever.
const maxRaised = 3

// hearSelf deals with news of our own record that we did not write. If the life that it is of is gone, or the cluster did not agree
// with us yet, it is our past: a restart with a clock that went back, or without a disk; we take a generation above it. A life that is
// up elsewhere, with a higher generation than the one that the cluster agreed with, is another process with our name that started
// later; it stays and we go, as the newer one is the one that was just started.
func (c *Core) hearSelf(generation, version uint64, gone bool) {
	r := c.self.rec
	if c.beyondClocks(generation) || generation < r.generation || generation == r.generation && version <= r.version {
		return
	}
	if !gone {
		if c.agreed && generation > r.generation || c.raised >= maxRaised {
			c.emit(Conflict{Generation: generation})
			c.closeAll(ByeConflict)
			return
		}
		c.raised++
	}
	c.renew(generation)
}

// renew takes a generation above one that the cluster remembers, and keeps what is in the record.
func (c *Core) renew(generation uint64) {
	links, entries := c.self.rec.after(0)
	// Not just one more: the life before this one may have done the same upon the same word, and two lives in one generation
	// would be two contents under one version.
	next := generation + 1 + c.rng.Uint64N(1<<16)
	c.store.begin(c.self, c.cfg.ID, next)
	for _, e := range entries {
		if !e.Deleted {
			c.store.write(c.self, e)
		}
	}
	for _, l := range links {
		if !l.Deleted() {
			c.store.writeLink(c.self, l.Node, false)
		}
	}
	c.emit(Renewed{Generation: next})
	c.wrote(0, true)
}

// sweep forgets tombstones of the own record older than Config.Tombstone, and signs of dead members that count no longer. It knows their age from the version that was
// current then, so it keeps no time per entry.
func (c *Core) sweep() {
	now := c.now()
	if now < c.sweeper.at {
		return
	}
	c.forgetOldDrops()
	floor := c.sweeper.version
	c.sweeper = sweeper{at: now + c.cfg.Tombstone, version: c.self.rec.version}
	if c.self.rec.hasTombstones(floor) {
		prev := c.self.rec.version
		c.store.forgetTombstones(c.self, floor)
		c.wrote(prev, false)
	}
}

// sweeper remembers the version that was current one Config.Tombstone before the next sweep.
type sweeper struct {
	at      time.Duration
	version uint64
}
