package core

import "time"

// recentFor is how long a hash that this node had counts as recent: a neighbour that shows it has all that we had then, and what
// is missing is on its way.
const recentFor = 2 * time.Second

// recentHashes are the hashes of a table that this node had a moment ago, so that two neighbours that receive the same changes at
// different moments do not take each other for different. The bounds are for some hundred changes a second; beyond, fewer
// comparisons find a match and a difference is looked for in vain.
type recentHashes struct {
	whole   []pastHash    // a ring of at most maxRecent
	next    int           // where in it
	last    uint64        // the present hash
	at      time.Duration // when it became that
	buckets [NumBuckets]pastBucket
}

// pastHash is a hash and when it ceased to be the present one.
type pastHash struct {
	hash  uint64
	until time.Duration
}

// pastBucket are the last hashes of one bucket.
type pastBucket struct {
	last uint64
	past []pastHash // at most maxRecentBucket, oldest overwritten
	next int
}

const (
	maxRecent       = 256
	maxRecentBucket = 8
)

// record records the present hashes.
func (r *recentHashes) record(sum uint64, buckets *[NumBuckets]uint64, now time.Duration) {
	if sum == r.last {
		if now-r.at > recentKept && len(r.whole) > 0 {
			r.forget()
		}
		return
	}
	r.at = now
	r.whole, r.next = overwrite(r.whole, r.next, maxRecent, pastHash{r.last, now})
	r.last = sum
	for i := range buckets {
		if b := &r.buckets[i]; b.last != buckets[i] {
			b.past, b.next = overwrite(b.past, b.next, maxRecentBucket, pastHash{b.last, now})
			b.last = buckets[i]
		}
	}
}

// recentKept is how long after the last change the hashes are kept: longer than a heartbeat that shows one may be under way. A node
// at rest needs no memory for them.
const recentKept = 10 * time.Second

// forget drops all but the present hashes.
func (r *recentHashes) forget() {
	r.whole, r.next = nil, 0
	for i := range r.buckets {
		r.buckets[i].past, r.buckets[i].next = nil, 0
	}
}

// overwrite appends p to a ring of at most most, in place of the oldest when it is full.
func overwrite(ring []pastHash, next, most int, p pastHash) ([]pastHash, int) {
	if len(ring) < most {
		return append(ring, p), 0
	}
	ring[next] = p
	return ring, (next + 1) % most
}

// has reports whether the table had this hash at some moment since a time.
func (r *recentHashes) has(hash uint64, since time.Duration) bool {
	return hash == r.last || hadSince(r.whole, hash, since)
}

// hasBucket is has for one bucket.
func (r *recentHashes) hasBucket(i int, hash uint64, since time.Duration) bool {
	b := &r.buckets[i]
	return hash == b.last || hadSince(b.past, hash, since)
}

func hadSince(ring []pastHash, hash uint64, since time.Duration) bool {
	for _, p := range ring {
		if p.hash == hash && p.until >= since {
			return true
		}
	}
	return false
}
