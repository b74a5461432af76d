package core

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// ownRecord writes the record of this node.
type ownRecord struct {
	*host
	store *store
	flood *flood
	judge *verdict

	keyDeadlines keyDeadlines // own keys with a TTL
	sweeper      sweeper
}

// writeFirst writes what the own record has from the start.
func (o *ownRecord) writeFirst() {
	protocol := ""
	if o.cfg.Protocol != 0 {
		protocol = strconv.Itoa(int(o.cfg.Protocol))
	}
	meta := []Entry{{Key: MetaAddr, Value: o.cfg.Addr}, {Key: MetaProtocol, Value: protocol}, {Key: MetaZone, Value: o.cfg.Zone},
		{Key: MetaVersion, Value: o.cfg.Version}}
	for _, e := range meta {
		if e.Value != "" {
			e.Kind = KindMeta
			o.store.write(o.self, e)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o.cfg.Keys)) {
		o.set(Set{Key: key, Value: o.cfg.Keys[key]})
	}
}

// setAddr publishes another address. The record has it, not only the next handshake: members that hold no link to this node dial it too.
func (o *ownRecord) setAddr(addr string) {
	if addr == o.cfg.Addr || addr == "" || len(addr) > MaxValue {
		return
	}
	o.cfg.Addr = addr
	prev := o.self.rec.version
	o.store.write(o.self, Entry{Kind: KindMeta, Key: MetaAddr, Value: addr})
	o.flood.wrote(prev, true)
}

// set writes an own key. The time to live is set first: a Set of the same value prolongs the life of the key, and writes nothing.
func (o *ownRecord) set(in Set) {
	if o.check(in.Key, in.Value) != nil {
		o.emit(Rejected{Reason: "own key exceeds a limit"})
		return
	}
	o.setLife(in.Key, in.TTL)
	if e, ok := o.self.rec.lookup(KindUser, in.Key); ok && e.Value == in.Value {
		return
	}
	prev := o.self.rec.version
	o.store.write(o.self, Entry{Kind: KindUser, Key: in.Key, Value: in.Value})
	o.flood.wrote(prev, true)
}

// delete deletes an own key. Its tombstone stays for Config.Tombstone, so that a node with the value learns that it is gone.
func (o *ownRecord) delete(key string) {
	o.keyDeadlines.remove(key)
	if _, ok := o.self.rec.lookup(KindUser, key); !ok {
		return
	}
	prev := o.self.rec.version
	o.store.write(o.self, Entry{Kind: KindUser, Key: key, Deleted: true})
	o.flood.wrote(prev, true)
}

// renew takes a generation above one that the cluster remembers, and keeps what is in the record.
func (o *ownRecord) renew(generation uint64) {
	links, entries := o.self.rec.after(0)
	// Not just one more: the life before this one may have done the same upon the same word, and two lives in one generation
	// would be two contents under one version.
	next := generation + 1 + o.rng.Uint64N(1<<16)
	o.store.begin(o.self, o.cfg.ID, next)
	for _, e := range entries {
		if !e.Deleted {
			o.store.write(o.self, e)
		}
	}
	for _, l := range links {
		if !l.Deleted() {
			o.store.writeLink(o.self, l.Node, false)
		}
	}
	o.emit(Renewed{Generation: next})
	o.flood.wrote(0, true)
}

// sweep forgets tombstones of the own record older than Config.Tombstone, and signs of dead members that count no longer. It knows their age from the version that was
// current then, so it keeps no time per entry.
func (o *ownRecord) sweep() {
	now := o.now()
	if now < o.sweeper.at {
		return
	}
	o.judge.forgetOldDrops()
	floor := o.sweeper.version
	o.sweeper = sweeper{at: now + o.cfg.Tombstone, version: o.self.rec.version}
	if o.self.rec.hasTombstones(floor) {
		prev := o.self.rec.version
		o.store.forgetTombstones(o.self, floor)
		o.flood.wrote(prev, false)
	}
}

// sweeper remembers the version that was current one Config.Tombstone before the next sweep.
type sweeper struct {
	at      time.Duration
	version uint64
}

// check returns why a key cannot be written, nil if it can.
func (o *ownRecord) check(key, value string) error {
	if err := o.cfg.Limits.entry(key, value); err != nil {
		return err
	}
	if n := o.self.rec.count(); n >= MaxEntries {
		return fmt.Errorf("the record has %d entries, at most %d are possible", n, MaxEntries)
	}
	d := RecordDelta{Entries: []Entry{{Kind: KindUser, Key: key, Value: value, Version: o.self.rec.version + 1}}}
	if why := o.store.excess(o.self.rec, o.self.rec, &d); why != "" {
		return fmt.Errorf("%s: the own record has %d bytes, at most %d are possible, and %d of %d for all records",
			why, o.self.rec.size, o.store.limits.Record, o.store.size, o.store.limits.State)
	}
	return nil
}
