package core

import "time"

// recentFor is how long a hash that this node had counts as recent: a neighbour that shows it has all that we had then, and what
// is missing is on its way.
const recentFor = 2 * time.Second

// recentHashes are the hashes of a table that this node had a moment ago, so that two neighbours that receive the same changes at
// different moments do not take each other for different. The bounds are for some hundred changes a second; beyond, fewer
// comparisons find a match and a difference is looked for in vain.
type recentHashes struct {
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

// record records the present hashes.
func (r *recentHashes) record(sum uint64, buckets *[NumBuckets]uint64, now time.Duration) {
	if sum == r.last {
		if now-r.at > recentKept {
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

// recentKept is how long after the last change the hashes are kept: longer than a heartbeat that shows one may be under way. A node
// at rest needs no memory for them.
const recentKept = 10 * time.Second

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

// has reports whether the table had this hash at some moment since a time.
func (r *recentHashes) has(hash uint64, since time.Duration) bool {
	return hash == r.last || r.whole.hasSince(hash, since)
}

// hasBucket is has for one bucket.
func (r *recentHashes) hasBucket(i int, hash uint64, since time.Duration) bool {
	return hash == r.buckets[i] || r.past != nil && r.past[i].hasSince(hash, since)
}
