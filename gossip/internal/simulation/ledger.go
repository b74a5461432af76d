package simulation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Ledger holds what nodes acknowledged as written, and so what may not be lost. A write is forgotten only if the only nodes that
// had it lost their disks, or ended for good.
type Ledger struct {
	w       *World
	shared  map[string]*sharedHistory
	keys    []string // of shared, in the order of their first writes
	own     []*ownHistory
	removed map[string]*removal
	names   []string // of removed, in the order of removal
}

// sharedHistory is what was acknowledged of one key of the shared map, the newest write last; those that no check needs are gone.
type sharedHistory struct {
	writes   []sharedWrite
	forgiven bool // a write was forgotten, and may show up after all
}

// sharedWrite is one write or delete of a key of the shared map.
type sharedWrite struct {
	stamp   core.Stamp
	writer  core.NodeID
	from    *Node
	life    int
	value   string
	deleted bool
	expires time.Duration // 0: never; by the true clock
	ends    core.Moment   // the same by the clocks of the cluster
	at      time.Duration // when it was acknowledged
}

func (a *sharedWrite) compareWrites(b *sharedWrite) int {
	return cmp.Or(cmp.Compare(a.stamp, b.stamp), cmp.Compare(a.writer, b.writer))
}

// isAfter reports whether a write is newer than an entry of its key. Two nodes may have written at one stamp; the higher ID wins.
func (a *sharedWrite) isAfter(e *core.SharedEntry) bool {
	return cmp.Or(cmp.Compare(a.stamp, e.Stamp), cmp.Compare(a.writer, e.Writer)) > 0
}

// ownHistory is what a life of a node wrote about itself.
type ownHistory struct {
	life   int
	values map[string]string // without those that have a TTL
	writes []ownWrite
}

type ownWrite struct {
	version version
	at      time.Duration
}

type removal struct {
	at   time.Duration
	from *Node
}

// NewLedger returns the ledger of a world, empty.
func NewLedger(w *World) *Ledger {
	l := &Ledger{w: w, shared: map[string]*sharedHistory{}, removed: map[string]*removal{}}
	for range w.Nodes {
		l.own = append(l.own, &ownHistory{values: map[string]string{}})
	}
	l.followStamps()
	return l
}

// followStamps gives writes the stamps that their nodes give them later: what a node wrote alone, with a clock ahead of the one that it
// meets, gets a lower stamp at its first link, and is older from then on than what others wrote meanwhile.
func (l *Ledger) followStamps() {
	old := l.w.OnOutput
	l.w.OnOutput = func(n *Node, o core.Output) {
		if old != nil {
			old(n, o)
		}
		if r, ok := o.(core.RememberShared); ok && !r.Restored && r.Entry.Space == core.SpaceUser {
			if had := n.disk.shared[sharedKey{core.SpaceUser, r.Entry.Key}]; r.Entry.Stamp < had.Stamp && r.Entry.Writer == n.hash {
				l.noteNewStamp(&had, r.Entry)
			}
		}
	}
}

// noteNewStamp notes that a write has another stamp now.
func (l *Ledger) noteNewStamp(had, now *core.SharedEntry) {
	h := l.shared[had.Key]
	if h == nil {
		return
	}
	i := slices.IndexFunc(h.writes, func(wr sharedWrite) bool { return wr.stamp == had.Stamp && wr.writer == had.Writer })
	if i < 0 {
		return
	}
	wr := h.writes[i]
	wr.stamp, wr.ends = now.Stamp, core.Moment(now.Expires)
	h.writes = slices.DeleteFunc(h.writes, func(o sharedWrite) bool { // and what it replaced where it was made
		return o.writer == wr.writer && o.stamp >= now.Stamp && o.stamp <= had.Stamp
	})
	l.addWrite(had.Key, wr)
}

// Share has a node write a key of the shared map; it returns why the node refused, nil if it acknowledged.
func (l *Ledger) Share(n *Node, key, value string, ttl time.Duration) error {
	if err := canShare(n, key, value); err != nil {
		return err
	}
	n.Do(core.SharedSet{Key: key, Value: value, TTL: ttl})
	got, stamp, ok := sharedValue(n, key)
	if !ok || got != value {
		return nil // it ended in this very step, or took the write back: nothing is promised
	}
	wr := sharedWrite{stamp: stamp, writer: n.hash, from: n, life: n.life, value: value, at: l.w.Now}
	if ttl > 0 {
		wr.expires = l.w.Now + ttl
		wr.ends = core.Moment(n.disk.shared[sharedKey{core.SpaceUser, key}].Expires)
	}
	l.addWrite(key, wr)
	return nil
}

// Unshare has a node delete a key of the shared map.
func (l *Ledger) Unshare(n *Node, key string) {
	_, before, ok := sharedValue(n, key)
	if !ok {
		return
	}
	n.Do(core.SharedDelete{Key: key})
	if _, stamp, ok := sharedValue(n, key); !ok && stamp > before {
		l.addWrite(key, sharedWrite{stamp: stamp, writer: n.hash, from: n, life: n.life, deleted: true, at: l.w.Now})
	}
}

func (l *Ledger) addWrite(key string, wr sharedWrite) {
	h := l.shared[key]
	if h == nil {
		h = &sharedHistory{}
		l.shared[key] = h
		l.keys = append(l.keys, key)
	}
	i, _ := slices.BinarySearchFunc(h.writes, wr, func(a, b sharedWrite) int { return a.compareWrites(&b) })
	h.writes = slices.Insert(h.writes, i, wr)
}

// Set has a node write an own key; it returns why the node refused.
func (l *Ledger) Set(n *Node, key, value string, ttl time.Duration) error {
	if err := canSet(n, key, value); err != nil {
		return err
	}
	n.Do(core.Set{Key: key, Value: value, TTL: ttl})
	l.ownWrote(n, func(o *ownHistory) {
		if ttl == 0 {
			o.values[key] = value
		} else {
			delete(o.values, key)
		}
	})
	return nil
}

// Delete has a node delete an own key.
func (l *Ledger) Delete(n *Node, key string) {
	n.Do(core.Delete{Key: key})
	l.ownWrote(n, func(o *ownHistory) { delete(o.values, key) })
}

func (l *Ledger) ownWrote(n *Node, apply func(*ownHistory)) {
	o := l.own[n.Index]
	if o.life != n.life {
		*o = ownHistory{life: n.life, values: map[string]string{}}
	}
	apply(o)
	o.writes = append(o.writes, ownWrite{versionAt(n, n), l.w.Now})
}

// Remove has a node remove another one.
func (l *Ledger) Remove(n, m *Node) {
	if n.Core.CheckRemove(m.ID) != nil {
		return
	}
	n.Do(core.Remove{ID: m.ID})
	k := sharedKey{core.SpaceMember, m.ID}
	stamp := n.stampOnDisk(k)
	if stamp == 0 || stamp < l.newestOnOtherDisks(n, k, Disk{}).Stamp {
		return // not done, or older than a rejoin whose stamp is of the future here: that one wins when clocks get there
	}
	if l.removed[m.ID] == nil {
		l.names = append(l.names, m.ID)
	}
	l.removed[m.ID] = &removal{l.w.Now, n}
}

// Rejoined notes that a removed node comes back on purpose.
func (l *Ledger) Rejoined(id string) {
	delete(l.removed, id)
	l.names = slices.DeleteFunc(l.names, func(s string) bool { return s == id })
}

// Lost forgets what only this node had: call it before its disk is lost or replaced, or when it ends for good.
func (l *Ledger) Lost(n *Node, becomes Disk) {
	for _, key := range l.keys {
		h := l.shared[key]
		best := l.newestOnOtherDisks(n, sharedKey{core.SpaceUser, key}, becomes)
		for len(h.writes) > 0 && h.writes[len(h.writes)-1].isAfter(&best) {
			h.writes = h.writes[:len(h.writes)-1]
			h.forgiven = true
		}
	}
	for _, id := range slices.Clone(l.names) {
		if l.newestOnOtherDisks(n, sharedKey{core.SpaceMember, id}, becomes).Stamp == 0 {
			l.Rejoined(id)
		}
	}
}

// newestOnOtherDisks is the newest entry of a key on any disk but that of n, and on what becomes of that.
func (l *Ledger) newestOnOtherDisks(n *Node, k sharedKey, becomes Disk) core.SharedEntry {
	best := becomes.shared[k]
	for _, m := range l.w.Nodes {
		if m == n || m.Gone != "" {
			continue
		}
		if e := m.disk.shared[k]; cmp.Or(cmp.Compare(e.Stamp, best.Stamp), cmp.Compare(e.Writer, best.Writer)) > 0 {
			best = e
		}
	}
	return best
}

// newestOlderThan returns the newest write of a key that is older than age; nil if there is none. Older ones are dropped.
func (h *sharedHistory) newestOlderThan(now, age time.Duration) *sharedWrite {
	for i := len(h.writes) - 1; i >= 0; i-- {
		if h.writes[i].at <= now-age {
			h.writes = h.writes[i:]
			return &h.writes[0]
		}
	}
	return nil
}

// isFutureWrite reports whether a write is stamped so far ahead of some clock that its node need not have it yet.
func (l *Ledger) isFutureWrite(wr *sharedWrite) bool { return l.w.isFutureStamp(wr.stamp) }

func (w *World) isFutureStamp(stamp core.Stamp) bool {
	for _, n := range w.Nodes {
		if n.clockAt != 0 && w.Now-n.clockAt < settledAfterStep*w.Core.Heartbeat {
			return true // what was of the future until now is asked for again
		}
	}
	return stamp.Time().Sub(w.base.Add(w.slowestClock())) > earlyFrom
}

// slowestClock is what the slowest clock of a running node shows, or the true one if that is slower.
func (w *World) slowestClock() time.Duration {
	at := w.Now
	for _, n := range w.Nodes {
		if n.Running() {
			at = min(at, w.Now+n.clockOffset())
		}
	}
	return at
}

// hasFutureWrites reports whether a running node keeps a write that others need not have yet.
func (l *Ledger) hasFutureWrites() bool {
	last := core.Stamp(0)
	for _, n := range l.w.runningNodes() {
		for k, e := range n.disk.shared {
			if k.space == core.SpaceUser { // what is of members is taken whatever its stamp
				last = max(last, e.Stamp)
			}
		}
	}
	return l.w.isFutureStamp(last)
}

// settledAfterStep is for how many heartbeats after a clock was set nodes may lack what was refused before.
const settledAfterStep = 10

// earlyFrom is how far ahead of a clock a stamp may be that its node has to have: half of the minute that nodes accept, so that what
// was refused has half a minute to be asked for again.
const earlyFrom = 30 * time.Second

// ttlSlack is how far from its time a key may end: clocks that are kept right differ by less than a minute.
const ttlSlack = time.Minute

// checkKey returns what a node has wrong of a key, given a write that it should have or one that came later.
func (l *Ledger) checkKey(n *Node, key string, want *sharedWrite) error {
	value, stamp, ok := sharedValue(n, key)
	switch now := l.w.Now; {
	case l.isFutureWrite(want) || stamp > want.stamp:
		return nil
	case want.expires != 0 && now > want.expires-ttlSlack && (now < want.expires+ttlSlack || !l.isExpired(want)):
		return nil
	case want.deleted || want.expires != 0 && now >= want.expires+ttlSlack:
		if ok {
			return fmt.Errorf("%s has %s = %q, an earlier value of a key that %s ended at %v", n.ID, key, trimPadding(value), want.from.ID, want.at)
		}
		return nil
	case stamp < want.stamp || !ok || stamp == want.stamp && value != want.value && !l.isTied(key, want):
		has := "nothing"
		if stamp != 0 {
			has = fmt.Sprintf("%q, stamped %v", trimPadding(value), stamp.Time().Sub(l.w.base).Round(time.Millisecond))
		}
		return fmt.Errorf("%s lacks %s = %q, acknowledged by %s at %v; it has %s", n.ID, key, trimPadding(want.value), want.from.ID, want.at, has)
	}
	return nil
}

// isExpired reports whether the time of a write that has one is over by all clocks: after they were set back, that is later than by the
// true one.
func (l *Ledger) isExpired(wr *sharedWrite) bool {
	return core.MomentAt(l.w.base.Add(l.w.slowestClock())) > wr.ends.Add(ttlSlack)
}

// trimPadding is the part of a value that distinguishes writes.
func trimPadding(value string) string { return strings.TrimRight(value, " ") }

// isTied reports whether two nodes wrote a key at one stamp, so that the value may be that of the other.
func (l *Ledger) isTied(key string, wr *sharedWrite) bool {
	same := 0
	for _, o := range l.shared[key].writes {
		if o.stamp == wr.stamp {
			same++
		}
	}
	return same > 1
}

// Spread returns the first write older than age that one of the nodes given lacks. With strict it returns as well what no
// node ever acknowledged.
func (l *Ledger) Spread(nodes []*Node, age time.Duration, strict bool) error {
	for _, key := range l.keys {
		h := l.shared[key]
		want := h.newestOlderThan(l.w.Now, age)
		if want == nil {
			continue
		}
		for _, n := range nodes {
			if err := l.checkKey(n, key, want); err != nil {
				return err
			}
			last := h.writes[len(h.writes)-1]
			if _, stamp, ok := sharedValue(n, key); strict && ok && stamp > last.stamp && !h.forgiven {
				return fmt.Errorf("%s has a write of %s that was never acknowledged", n.ID, key)
			}
		}
	}
	return l.ownSpread(nodes, age)
}

// Within returns the first write older than age that one node of a group lacks, though its writer is another one of it.
func (l *Ledger) Within(group []*Node, age time.Duration) error {
	for _, key := range l.keys {
		h := l.shared[key]
		for i := len(h.writes) - 1; i >= 0; i-- {
			wr := &h.writes[i]
			if wr.at > l.w.Now-age || wr.life != wr.from.life || !slices.Contains(group, wr.from) {
				continue
			}
			if _, stamp, _ := sharedValue(wr.from, key); stamp > wr.stamp && l.w.isFutureStamp(stamp) {
				break // a write took its place, also where it was made, that some clocks have not reached
			}
			for _, n := range group {
				if err := l.checkKey(n, key, wr); err != nil {
					return err
				}
			}
			break
		}
		h.newestOlderThan(l.w.Now, 2*age) // drops what no longer matters
	}
	return l.ownSpread(group, age)
}

// ownSpread returns the first own write older than age of one of the nodes that another one of them lacks.
func (l *Ledger) ownSpread(nodes []*Node, age time.Duration) error {
	for _, m := range nodes {
		o := l.own[m.Index]
		last := -1
		for i := len(o.writes) - 1; i >= 0 && last < 0; i-- {
			if o.writes[i].at <= l.w.Now-age {
				last = i
			}
		}
		if o.life != m.life || last < 0 {
			continue
		}
		o.writes = o.writes[last:]
		for _, n := range nodes {
			if versionAt(n, m).before(o.writes[0].version) {
				return fmt.Errorf("%s lacks what %s wrote of itself at %v", n.ID, m.ID, o.writes[0].at)
			}
		}
	}
	return nil
}

// OwnKeys returns the first own key of one of the nodes that another one has otherwise; keys with a TTL do not count.
func (l *Ledger) OwnKeys(nodes []*Node) error {
	for _, n := range nodes {
		for _, m := range nodes {
			o := l.own[m.Index]
			if o.life != m.life {
				continue
			}
			seen, ok := member(n, m.ID)
			if !ok {
				return fmt.Errorf("%s does not know %s", n.ID, m.ID)
			}
			for _, key := range ownKeys {
				got, _ := seen.Keys.Get(key)
				if want := o.values[key]; got != want {
					return fmt.Errorf("%s has %s = %q of %s, which wrote %q", n.ID, key, got, m.ID, want)
				}
			}
		}
	}
	return nil
}

// Removals returns the first removed name that is still a member somewhere, or whose process still runs. A removal lasts for Config.Horizon: a
// process that was silent for longer comes back as a member.
func (l *Ledger) Removals(nodes []*Node, age time.Duration) error {
	for _, id := range l.names {
		since := l.w.Now - l.removed[id].at
		if since < age || since >= l.w.Core.Horizon {
			continue
		}
		for _, n := range nodes {
			if n.ID == id {
				return fmt.Errorf("%s runs, though it was removed at %v", id, l.removed[id].at)
			}
			if _, ok := member(n, id); ok {
				return fmt.Errorf("%s has %s as a member, which %s removed at %v", n.ID, id, l.removed[id].from.ID, l.removed[id].at)
			}
		}
	}
	return nil
}
