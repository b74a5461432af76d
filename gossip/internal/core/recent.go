package core

import "time"

// transit is for how long a change may be on its way between two neighbours that nothing keeps apart: it waits for company at each node
// that passes it on (Relax), and what was under way when one heartbeat left shows in the next.
func (c Config) transit() time.Duration { return max(2*c.Heartbeat, 4*c.Relax) }

// leastRecent is the least of recentHashes.span: what the network delays does not shrink with Config.Heartbeat.
const leastRecent = 2 * time.Second

// recentHashes are the hashes of a table that this node had a moment ago, so that two neighbours that receive the same changes at
// different moments do not take each other for different. The bounds are for some hundred changes within span; beyond, fewer
// comparisons find a match and a difference is looked for in vain.
type recentHashes struct {
	// span is how long a hash that this node had counts as recent: a neighbour that shows it has all that we had then, and what is
	// missing is on its way.
	span time.Duration
	// kept is how long after the last change the hashes are kept: span before a heartbeat of a neighbour, whose hash is looked up again when
	// the next one comes, up to eight intervals later. A node at rest needs no memory for them.
	kept    time.Duration
	whole   pastHashes              // at most maxRecent
	last    uint64                  // the present hash
	at      time.Duration           // when it became that
	buckets [NumBuckets]uint64      // the present hashes of the buckets
	past    *[NumBuckets]pastHashes // at most maxRecentBucket each; nil: none
}

// pastHashes is a ring of hashes.
type pastHashes struct {
	ring []pastHash
	next int // index of the oldest when it is full
}

// pastHash is a hash and when it ceased to be the present one.
type pastHash struct {
	hash  uint64
	until time.Duration
}

const (
	maxRecent       = 256
	maxRecentBucket = 8
)

// newRecentHashes returns those of an empty table.
func newRecentHashes(c Config) recentHashes {
	span := max(leastRecent, c.transit())
	return recentHashes{span: span, kept: span + 8*c.Heartbeat}
}

// record records the present hashes.
func (r *recentHashes) record(sum uint64, buckets *[NumBuckets]uint64, now time.Duration) {
	if sum == r.last {
		if now-r.at > r.kept {
			r.whole, r.past = pastHashes{}, nil
		}
		return
	}
	r.at = now
	r.whole.add(maxRecent, pastHash{r.last, now})
	r.last = sum
	if r.past == nil {
		r.past = new([NumBuckets]pastHashes)
	}
	for i, old := range r.buckets {
		if old != buckets[i] {
			r.past[i].add(maxRecentBucket, pastHash{old, now})
		}
	}
	r.buckets = *buckets
}

// add adds a hash, in place of the oldest when there are most.
func (h *pastHashes) add(most int, p pastHash) {
	if len(h.ring) < most {
		h.ring = append(h.ring, p)
		return
	}
	h.ring[h.next] = p
	h.next = (h.next + 1) % most
}

// hasSince reports whether a hash was the present one at some moment since a time.
func (h *pastHashes) hasSince(hash uint64, since time.Duration) bool {
	for _, p := range h.ring {
		if p.hash == hash && p.until >= since {
			return true
		}
	}
	return false
}

// has reports whether the table had this hash at some moment from span before a time on.
func (r *recentHashes) has(hash uint64, at time.Duration) bool {
	return hash == r.last || r.whole.hasSince(hash, at-r.span)
}

// hasBucket is has for one bucket.
func (r *recentHashes) hasBucket(i int, hash uint64, at time.Duration) bool {
	return hash == r.buckets[i] || r.past != nil && r.past[i].hasSince(hash, at-r.span)
}
