package core

import (
	"cmp"
	"slices"
	"time"
)

// An exchange finds and repairs a difference of a table, the records or the shared map, between two neighbours: hashes on every
// heartbeat, then 64 bucket hashes, then the versions of the items in the buckets that differ, then the items (the idea of Merkle
// trees in Dynamo, SOSP 2007, at depth two). Idle clusters pay for the first step only.
//
// While changes are under way, hashes differ all the time and mean nothing. A comparison therefore takes a hash that this node had
// within the last two seconds for equal, and under load only buckets that differ twice in a row are looked into.
//
// Items are pulled: who lacks some asks for them, and an answer has at most pullWindow bytes before the next ask, so that large
// state never fills the queue of a link (flow control as in van Renesse et al., "Efficient reconciliation and flow control for
// anti-entropy protocols", LADIS 2008).
type exchange struct {
	differ  int           // heartbeats in a row with a hash that we did not have
	last    uint64        // hash of the last heartbeat
	lastAt  time.Duration // when it came
	sameAt  time.Duration // when the peer last had what we have, as far as comparisons can show
	begunAt time.Duration // when we last sent bucket hashes or a digest
	buckets *bucketHashes // of the peer, while the hashes differ
	wait    time.Duration // between two digests that bring nothing

	compared bool    // a digest of the peer was dealt with, or ours was answered
	missing  []claim // what the peer has and we lack, to ask for
	asks     []ask   // under way, oldest first; the peer ends the answer to each with Last
	batch    int     // items to ask for at once
}

// claim is a statement about an item: who makes it has the item at (hi, lo), which orders all versions of it. Of a record that is
// (generation, version), of a shared key (stamp, writer). All zero but id: it has none.
type claim struct {
	id     uint64
	hi, lo uint64
	floor  uint64 // of a record
}

// compare is negative if c is behind o.
func (c claim) compare(o claim) int { return cmp.Or(cmp.Compare(c.hi, o.hi), cmp.Compare(c.lo, o.lo)) }

// ask is a request whose answer has not ended.
type ask struct {
	items []claim       // nil: a digest, whose answer may be a digest
	at    time.Duration // when it was sent, or its answer last brought something
	news  bool          // the answer brought something
}

const (
	// pullWindow bounds one answer, in bytes: with two asks under way it fills a line of 1 Gbit/s, and holds up a slow one for a
	// moment only.
	pullWindow = 512 << 10
	// maxAsks is the number of asks of items under way on a link.
	maxAsks = 2
	// askTimeout ends an ask whose answer has ceased to come.
	askTimeout = 10 * time.Second
	// minBatch and maxBatch bound the items of one ask. A batch doubles while answers hold all of it.
	minBatch, maxBatch = 64, 8192
	// maxClaims is the number of items in one digest, unless a single bucket has more.
	maxClaims = 16384
	// digestWaitMost is the longest pause between two digests on a link that bring nothing, as when one side refuses what the
	// other has.
	digestWaitMost = 30 * time.Second
	// persistent is the number of comparisons in a row in which a bucket must differ while changes are under way.
	persistent = 2
)

// bucketHashes are the bucket hashes of a peer, and what comparing them showed.
type bucketHashes struct {
	theirs  [NumBuckets]uint64
	dueAt   time.Duration // when to compare them; 0: that was done
	differs [NumBuckets]uint8
	sameAt  [NumBuckets]time.Duration
}

// table is a set of items that neighbours keep equal. All that is common to records and the shared map is written against it.
type table interface {
	sums() (whole uint64, buckets *[NumBuckets]uint64)
	claim(id uint64) claim
	claims(mask uint64) []claim // of the items in the buckets of a mask, in a fixed order
	takes(claim) bool           // whether an item at this version may be taken now
	gives(claim) bool           // whether our item may be sent now

	sendBuckets(*link)
	sendDigest(l *link, mask uint64, reply bool, claims []claim)
	// weigh returns about how many bytes a peer lacks that stands at the claims; it stops counting at most.
	weigh(claims []claim, most int) int
	// send sends what a peer lacks that stands at the claims, in order and up to one window, and marks the end.
	send(l *link, claims []claim)
	exchange(*link) *exchange
	recent() *recentHashes
	pulls() map[uint64]pull // by item: where it is asked for
	quiet() bool            // whether nothing new has come for a while
}

// pull is an item that is asked for over a link.
type pull struct {
	link LinkID
	at   time.Duration
}

// heardHash compares a table with what the heartbeat of a neighbour shows.
func (c *Core) heardHash(t table, l *link, hash uint64, first bool, hint bool) {
	x, now := t.exchange(l), c.now()
	whole, _ := t.sums()
	lastWasRecent := x.lastAt != 0 && t.recent().has(x.last, x.lastAt-recentFor)
	if lastWasRecent { // what it was ahead of us then has arrived
		x.sameAt = max(x.sameAt, x.lastAt)
	}
	x.last, x.lastAt = hash, now
	if hash == whole || t.recent().has(hash, now-recentFor) {
		x.sameAt = now
	}
	if hash == whole {
		x.differ, x.buckets, x.wait, x.compared = 0, nil, 0, true
		return
	}
	if x.differ++; x.sameAt == now {
		x.differ = 1
	}
	if c.beginExchange(t, l, first, hint) {
		x.begunAt = now
		c.sendHashes(t, l)
	}
}

// beginExchange reports whether to look for the difference now. On a new link it is looked for at once if one side knows less or is
// cut off from the other (hint). Otherwise a difference is normal for a moment; of two neighbours at rest the one with the lower ID
// begins, the other one only if nothing came of it; while changes are under way both send bucket hashes with each heartbeat.
func (c *Core) beginExchange(t table, l *link, first, hint bool) bool {
	x, now := t.exchange(l), c.now()
	lower := c.self.node < l.peer.node
	if first {
		return hint || t.quiet() && lower
	}
	if now-x.begunAt < c.cfg.Heartbeat*9/10 {
		return false
	}
	if t.quiet() {
		return (lower || x.differ > 1) && (x.wait == 0 || now-x.begunAt >= x.wait)
	}
	return x.differ > 1
}

// sendHashes sends what shows the difference: bucket hashes, or at once the versions of all items if these are few and at rest.
func (c *Core) sendHashes(t table, l *link) {
	if t == table(&c.recordTable) && c.store.known <= wholeDigest && (t.quiet() || !t.exchange(l).compared) {
		c.sendDigest(t, l, ^uint64(0), false)
		return
	}
	t.sendBuckets(l)
}

// wholeDigest is the number of records up to which the versions of all are cheaper than bucket hashes.
const wholeDigest = 40

// sendDigest lists the items in the buckets of a mask, whose answer brings what we lack; with reply, it is an answer itself. A
// bucket is never cut, and large ones go in frames of their own.
func (c *Core) sendDigest(t table, l *link, mask uint64, reply bool) {
	var buckets [NumBuckets][]claim
	for _, item := range t.claims(mask) {
		b := item.id % NumBuckets
		buckets[b] = append(buckets[b], item)
	}
	part, items := uint64(0), []claim(nil)
	flush := func() {
		if part == 0 {
			return
		}
		if !reply {
			x := t.exchange(l)
			x.asks = append(x.asks, ask{at: c.now()})
		}
		t.sendDigest(l, part, reply, items)
		part, items = 0, nil
	}
	for b := range buckets {
		if mask>>b&1 == 0 {
			continue
		}
		if len(items) > 0 && len(items)+len(buckets[b]) > maxClaims {
			flush()
		}
		part |= 1 << b
		items = append(items, buckets[b]...)
	}
	flush()
}

// onBucketHashes takes the bucket hashes of a neighbour. They are compared at once if nothing is under way, otherwise a moment
// later, so that what it had and was on its way to us counts as equal.
func (c *Core) onBucketHashes(t table, l *link, theirs *[NumBuckets]uint64) {
	x := t.exchange(l)
	first := x.buckets == nil
	if first {
		x.buckets = &bucketHashes{}
		for i := range x.buckets.sameAt {
			x.buckets.sameAt[i] = x.sameAt
		}
	}
	x.buckets.theirs = *theirs
	if t.quiet() || first && !x.compared {
		c.compareBuckets(t, l, 1)
		return
	}
	x.buckets.dueAt = c.now() + c.settleTime()
	soonest(&c.compareAt, x.buckets.dueAt)
}

// settleTime is how long a change may be under way between two neighbours.
func (c *Core) settleTime() time.Duration { return min(15*c.cfg.Coalesce, c.cfg.Heartbeat/2) }

// compareDue compares the bucket hashes that had to wait.
func (c *Core) compareDue() {
	if c.compareAt == 0 || c.now() < c.compareAt {
		return
	}
	c.compareAt = 0
	for _, l := range slices.Clone(c.links.list) {
		for _, t := range c.tables() {
			b := t.exchange(l).buckets
			switch {
			case b == nil || b.dueAt == 0:
			case c.now() < b.dueAt:
				soonest(&c.compareAt, b.dueAt)
			default:
				c.compareBuckets(t, l, persistent)
			}
		}
	}
}

// compareBuckets compares the bucket hashes of a peer with ours, and asks about those that have differed so many times in a row.
func (c *Core) compareBuckets(t table, l *link, times uint8) {
	x, now := t.exchange(l), c.now()
	b := x.buckets
	b.dueAt = 0
	var mask uint64
	fresh, long := false, false
	oldest := now
	for i := range b.theirs {
		if t.recent().hasBucket(i, b.theirs[i], now-recentFor) {
			b.sameAt[i], b.differs[i] = now, 0
			continue
		}
		b.differs[i] = min(b.differs[i]+1, 100)
		oldest = min(oldest, b.sameAt[i])
		if b.differs[i] >= times {
			mask |= 1 << i
			fresh = fresh || b.differs[i] == times
			long = long || b.differs[i] > times
		}
	}
	x.sameAt = max(x.sameAt, oldest)
	if mask == 0 || !(c.self.node < l.peer.node || long || times == 1) {
		return
	}
	if !fresh && now-x.begunAt < x.wait {
		return
	}
	x.begunAt = now
	x.wait = min(max(2*x.wait, c.cfg.Heartbeat), digestWaitMost)
	c.sendDigest(t, l, mask, false)
}

// onClaims deals with a digest: what the sender lacks is sent, or listed if it is more than one window, and what we lack is asked
// for. With mask 0 it asks for the items listed.
func (c *Core) onClaims(t table, l *link, mask uint64, reply bool, claims []claim) {
	if mask == 0 {
		t.send(l, claims)
		return
	}
	x := t.exchange(l)
	lacks, gives := c.differences(t, mask, claims)
	x.missing = append(x.missing, lacks...)
	x.compared = true
	switch {
	case reply:
		x.answered()
	case t.weigh(gives, pullWindow) < pullWindow:
		t.send(l, gives)
	default:
		c.sendDigest(t, l, mask, true)
	}
	if t == table(&c.recordTable) && len(gives)+len(lacks) > 0 { // both having something makes the link part of the tree
		c.setEager(l, true)
	}
	c.pull(t, l)
}

// differences compares the claims of a peer about the buckets of a mask with what we have: lacks are its claims that we are behind,
// gives are where it stands with items of which we have more.
func (c *Core) differences(t table, mask uint64, claims []claim) (lacks, gives []claim) {
	listed := make(map[uint64]bool, len(claims))
	for _, theirs := range claims {
		listed[theirs.id] = true
		ours := t.claim(theirs.id)
		switch d := ours.compare(theirs); {
		case d < 0 && t.takes(theirs):
			lacks = append(lacks, theirs)
		case d > 0 && t.gives(ours):
			gives = append(gives, theirs)
		}
	}
	for _, ours := range t.claims(mask) {
		if !listed[ours.id] && t.gives(ours) {
			gives = append(gives, claim{id: ours.id})
		}
	}
	return lacks, gives
}

// pull asks a peer for what we lack, unless enough is under way. What is asked for over another link is left to that.
func (c *Core) pull(t table, l *link) {
	x := t.exchange(l)
	x.batch = max(x.batch, minBatch)
	for x.itemAsks() < maxAsks && len(x.missing) > 0 {
		var items, elsewhere []claim
		rest := x.missing
		for len(rest) > 0 && len(items) < x.batch {
			m := rest[0]
			rest = rest[1:]
			switch p, asked := t.pulls()[m.id]; {
			case t.claim(m.id).compare(m) >= 0: // it has come meanwhile
			case asked && c.now()-p.at < askTimeout && c.links.byID[p.link] != nil:
				elsewhere = append(elsewhere, m)
			default:
				items = append(items, m)
			}
		}
		x.missing = append(slices.Clip(rest), elsewhere...)
		if len(items) == 0 {
			return
		}
		c.askFor(t, l, items)
	}
}

// askFor sends one ask.
func (c *Core) askFor(t table, l *link, items []claim) {
	x := t.exchange(l)
	ours := make([]claim, len(items))
	for i, m := range items {
		t.pulls()[m.id] = pull{l.id, c.now()}
		ours[i] = t.claim(m.id)
	}
	x.asks = append(x.asks, ask{items: items, at: c.now()})
	t.sendDigest(l, 0, false, ours)
}

func (x *exchange) itemAsks() (n int) {
	for i := range x.asks {
		if x.asks[i].items != nil {
			n++
		}
	}
	return n
}

// answered ends the oldest ask and returns it.
func (x *exchange) answered() (a ask) {
	if len(x.asks) > 0 {
		a, x.asks = x.asks[0], x.asks[1:]
	}
	return a
}

// gained notes that a frame of a peer brought something new.
func (x *exchange) gained(now time.Duration) {
	x.wait = 0
	if len(x.asks) > 0 {
		x.asks[0].news, x.asks[0].at = true, now
	}
}

// onLast deals with the end of an answer: what did not fit is asked for again, unless the answer brought nothing.
func (c *Core) onLast(t table, l *link) {
	x := t.exchange(l)
	a := x.answered()
	x.compared = true
	var left []claim
	for _, m := range a.items {
		if t.pulls()[m.id].link == l.id {
			delete(t.pulls(), m.id)
		}
		if t.claim(m.id).compare(m) < 0 && t.takes(m) {
			left = append(left, m)
		}
	}
	switch {
	case len(a.items) == 0:
	case len(left) == 0:
		x.batch = min(2*x.batch, maxBatch)
	case !a.news: // refused here, or gone there
	default:
		x.batch = max(minBatch, min(x.batch, 2*(len(a.items)-len(left))))
		x.missing = append(left, x.missing...)
	}
	c.pull(t, l)
}

// tendExchanges ends asks without an answer, goes on with what other links were asked for, and reports when the first exchange
// over a link is over.
func (c *Core) tendExchanges(l *link) {
	done := true
	for _, t := range c.tables() {
		x := t.exchange(l)
		for len(x.asks) > 0 && c.now()-x.asks[0].at > askTimeout {
			x.answered()
		}
		c.pull(t, l)
		done = done && x.settled()
	}
	if done && !l.exchanged {
		l.exchanged = true
		c.emit(Exchanged{Link: l.id})
	}
}

// settled reports whether a comparison with the peer was made and all that it had has come.
func (x *exchange) settled() bool { return x.compared && len(x.asks) == 0 && len(x.missing) == 0 }

// noteHashes records the present hashes of both tables, before others can see them.
func (c *Core) noteHashes() {
	for _, t := range c.tables() {
		whole, buckets := t.sums()
		t.recent().note(whole, buckets, c.now())
	}
}

// Staleness returns for how long some neighbour has had another state than this node, not counting changes of the last two seconds
// that are on their way: about 0 while all is well, under any load. It is 0 without neighbours.
func (c *Core) Staleness() time.Duration {
	oldest := c.now()
	for _, l := range c.links.list {
		oldest = min(oldest, l.records.sameAt, l.shared.sameAt)
	}
	if late := c.now() - oldest; late > 2*c.cfg.Heartbeat {
		return late
	}
	return 0
}
