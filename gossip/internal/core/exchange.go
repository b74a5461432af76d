package core

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// An exchange finds and repairs a difference of a table, the records or the shared map, between two neighbours: hashes on every
// heartbeat, then 64 bucket hashes, then the versions of the items in the buckets that differ, then the items (the idea of Merkle
// trees in Dynamo, SOSP 2007, at depth two). Idle clusters pay for the first step only.
//
// While changes are under way, hashes differ all the time and mean nothing. A comparison therefore takes a hash that this node had
// recently (recentHashes) for equal, and under load only buckets that differ twice in a row are looked into.
//
// Items are pulled: a node that lacks some asks for them, and an answer has at most pullWindow bytes before the next ask, so that large
// state never fills the queue of a link (flow control as in van Renesse et al., "Efficient reconciliation and flow control for
// anti-entropy protocols", LADIS 2008).
type exchange struct {
	differ   int           // heartbeats in a row with a hash that we did not have
	last     uint64        // hash of the last heartbeat
	lastAt   time.Duration // when it came
	sameAt   time.Duration // when the peer last had what we have, as far as comparisons can show
	same     bool          // the last comparison showed no difference
	begunAt  time.Duration // when a comparison was last begun from here
	digestAt time.Duration // when we last sent a digest of our own
	buckets  *bucketHashes // of the peer, while the hashes differ
	wait     time.Duration // between two digests that bring nothing
	pending  bool          // a comparison is to begin that had to wait for another link's
	calmAt   time.Duration // while changes are under way, no comparison before

	compared bool    // a digest of the peer was dealt with, or ours was answered
	missing  []claim // what the peer has and we lack, to ask for
	asks     []ask   // under way, oldest first; the peer ends the answer to each with Last
	batch    int     // items to ask for at once
}

// claim is a statement about an item: the node that makes it has the item at (hi, lo), which orders all versions of it. Of a record that is
// (generation, version, gone), of a shared key (stamp, writer). All zero but id: it has none.
type claim struct {
	id     uint64
	hi, lo uint64
	floor  uint64 // of a record
	gone   Moment // of a record: slot.gone, or lately; 0: not known
}

// lately stands in a claim for the moment at which a member was last up that has not been gone for long: it is later than all others.
const lately = Moment(math.MaxInt64)

// compare is negative if c is behind o.
func (c claim) compare(o claim) int {
	return cmp.Or(cmp.Compare(c.hi, o.hi), cmp.Compare(c.lo, o.lo), cmp.Compare(c.gone, o.gone))
}

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
	digestWaitMost = 15 * time.Second
	// persistent is the number of comparisons in a row in which a bucket must differ while changes are under way.
	persistent = 2
)

// bucketHashes are the bucket hashes of a peer, and what comparing them showed.
type bucketHashes struct {
	theirs  [NumBuckets]uint64
	cameAt  time.Duration // when they came
	dueAt   time.Duration // when to compare them; 0: that was done
	differs [NumBuckets]uint8
	sameAt  [NumBuckets]time.Duration
}

// settled reports whether a comparison with the peer was made and all that it had has come.
func (x *exchange) settled() bool { return x.compared && len(x.asks) == 0 && len(x.missing) == 0 }

// itemAsks returns the number of asks for items that are under way.
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
		a = x.asks[0]
		x.asks = orNil(slices.Delete(x.asks, 0, 1))
	}
	return a
}

// orNil returns a list, or nil if it is empty: an idle link keeps no memory for what was asked over it.
func orNil[T any](all []T) []T {
	if len(all) == 0 {
		return nil
	}
	return all
}

// gained notes that a frame of a peer brought something new.
func (x *exchange) gained(now time.Duration) {
	x.wait = 0
	if len(x.asks) > 0 {
		x.asks[0].news, x.asks[0].at = true, now
	}
}

// bucketsOf returns the bucket hashes of the peer, to be filled. They count as equal up to when the tables last were.
func (x *exchange) bucketsOf() *bucketHashes {
	if x.buckets != nil {
		return x.buckets
	}
	x.buckets = &bucketHashes{}
	for i := range x.buckets.sameAt {
		x.buckets.sameAt[i] = x.sameAt
	}
	return x.buckets
}

// caughtUp notes which of the buckets were equal when they came, after all: what the peer was ahead of us then has come since. A node
// that writes all the time is ahead in every comparison, each time by something else.
func (b *bucketHashes) caughtUp(past *recentHashes) {
	for i := range b.theirs {
		if b.cameAt > b.sameAt[i] && past.hasBucket(i, b.theirs[i], b.cameAt) {
			b.sameAt[i] = b.cameAt
		}
	}
}

// count returns the number of buckets that differed in so many comparisons in a row, or more.
func (b *bucketHashes) count(times uint8) (n int) {
	for _, d := range b.differs {
		if d >= times {
			n++
		}
	}
	return n
}
