package core

import (
	"slices"
	"time"
)

// exchanger finds and repairs the differences of one table between this node and its neighbours; see exchange.
type exchanger struct {
	*host
	table     table
	links     *links
	past      recentHashes
	pulls     map[uint64]pull // items that are asked for, by ID; nil: none
	storms    bool            // all items may change at once, as when a cluster starts
	begunAt   time.Duration   // when a comparison was last begun, over any link
	digestAt  time.Duration   // when a digest of differing buckets was last sent, over any link
	compareAt time.Duration   // when bucket hashes that wait are due to be compared; 0: none wait
}

func newExchanger(h *host, ls *links, t table) exchanger {
	return exchanger{host: h, links: ls, table: t, past: newRecentHashes(h.cfg)}
}

// recordHashes records the present hashes, before others can see them.
func (e *exchanger) recordHashes() {
	whole, buckets := e.table.sums()
	e.past.record(whole, buckets, e.now())
}

// leads reports whether this node begins, of the two ends of a link.
func (e *exchanger) leads(l *link) bool { return e.node < l.peer.node }

// onHash compares the table with what the heartbeat of a neighbour shows. On the first heartbeat of a link, hint means that one side
// knows less.
func (e *exchanger) onHash(l *link, hash uint64, first, hint bool) {
	x, now := e.table.of(l), e.now()
	whole, _ := e.table.sums()
	if x.lastAt != 0 && e.past.has(x.last, x.lastAt) { // what it was ahead of us then has arrived
		x.sameAt = max(x.sameAt, x.lastAt)
	}
	x.last, x.lastAt = hash, now
	if hash == whole {
		x.sameAt, x.same, x.pending, x.differ, x.buckets, x.wait, x.compared = now, true, false, 0, nil, 0, true
		return
	}
	x.differ++
	if x.same = e.past.has(hash, now); x.same { // it lags by what is on its way
		x.sameAt, x.differ = now, 1 // and not 0: this heartbeat is the first of a row, if what is on its way does not arrive
	}
	if x.pending = e.begins(l, first, hint); x.pending {
		e.begin(l, first)
	}
}

// begin begins a comparison, unless one was begun over another link a moment ago: what one neighbour brings makes us equal to the
// others too, mostly.
func (e *exchanger) begin(l *link, first bool) {
	x, now := e.table.of(l), e.now()
	crowded := e.table.quiet() || e.storms && !e.table.isSmall()
	if crowded && !first && e.begunAt != 0 && now-e.begunAt < e.cfg.Heartbeat/beginsPerBeat {
		return
	}
	x.pending, x.begunAt, e.begunAt = false, now, now
	e.sendHashes(l)
}

// begins reports whether to look for the difference now. On a new link it is looked for at once if one side knows less. Otherwise a
// difference is normal for a moment; of two neighbours at rest the one with the lower ID begins, the other one only if nothing came
// of it; while changes are under way both send bucket hashes with each heartbeat.
func (e *exchanger) begins(l *link, first, hint bool) bool {
	x, now := e.table.of(l), e.now()
	if first {
		return hint || e.table.quiet() && e.leads(l)
	}
	if x.same || now-x.begunAt < e.cfg.Heartbeat*9/10 {
		return false
	}
	if e.table.quiet() {
		return e.leads(l) || x.differ > 1
	}
	if e.storms && !e.table.isSmall() && x.differ < stormDiffers { // it mostly passes
		return false
	}
	return now >= x.calmAt
}

// beginsPerBeat is the number of comparisons that are begun within one heartbeat.
const beginsPerBeat = 8

// When more than stormBuckets buckets differ while changes are under way, all members change at once, as when a cluster starts, and
// comparing shows nothing: it is not tried again for stormPause heartbeats.
const (
	stormBuckets = NumBuckets / 4
	stormPause   = 5
	// stormDiffers is the number of heartbeats in a row whose hash must be another one before bucket hashes are sent: changes of
	// links take some seconds through a large cluster.
	stormDiffers = 3
)

// sendHashes sends what shows the difference.
func (e *exchanger) sendHashes(l *link) {
	x := e.table.of(l)
	if e.table.isSmall() && (e.table.quiet() && e.now()-x.digestAt >= x.wait || !x.compared) {
		e.backOffDigest(x)
		e.sendDigest(l, ^uint64(0), false)
		return
	}
	e.table.sendBuckets(l)
}

// sendDigest lists the items in the buckets of a mask, whose answer brings what we lack; with reply, it is an answer itself. A
// bucket is never cut, and large ones go in frames of their own.
func (e *exchanger) sendDigest(l *link, mask uint64, reply bool) {
	var buckets [NumBuckets][]claim
	for _, item := range e.table.claims(mask) {
		b := item.id % NumBuckets
		buckets[b] = append(buckets[b], item)
	}
	part, items := uint64(0), []claim(nil)
	flush := func() {
		if x := e.table.of(l); !reply {
			x.asks = append(x.asks, ask{at: e.now()})
		}
		e.table.sendDigest(l, part, reply, items)
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
	if part != 0 {
		flush()
	}
}

// onBuckets takes the bucket hashes of a neighbour. They are compared at once if nothing is under way, otherwise a moment later,
// so that what it had and was on its way to us counts as equal.
func (e *exchanger) onBuckets(l *link, theirs *[NumBuckets]uint64) {
	x := e.table.of(l)
	b := x.bucketsOf()
	b.caughtUp(&e.past) // before the hashes that it is about are overwritten
	b.theirs, b.cameAt = *theirs, e.now()
	if e.table.quiet() || !e.storms && !x.compared {
		e.compareBuckets(l, 1)
		return
	}
	if now := e.now(); now-x.begunAt >= e.cfg.Heartbeat*9/10 && now >= x.calmAt { // so that both ends know
		x.begunAt = now
		e.table.sendBuckets(l)
	}
	b.dueAt = e.now() + min(settleTime*e.cfg.Coalesce, e.cfg.Heartbeat/2)
	soonest(&e.compareAt, b.dueAt)
}

// settleTime times Config.Coalesce is how long a change may be under way between two neighbours.
const settleTime = 15

// compareDue compares the bucket hashes that had to wait.
func (e *exchanger) compareDue() {
	if e.compareAt == 0 || e.now() < e.compareAt {
		return
	}
	e.compareAt = 0
	for _, l := range slices.Clone(e.links.list) {
		b := e.table.of(l).buckets
		switch {
		case b == nil || b.dueAt == 0:
		case e.now() < b.dueAt:
			soonest(&e.compareAt, b.dueAt)
		default:
			e.compareBuckets(l, persistent)
		}
	}
}

// compareBuckets compares the bucket hashes of a peer with ours, and asks about those that have differed so many times in a row.
func (e *exchanger) compareBuckets(l *link, times uint8) {
	x, now := e.table.of(l), e.now()
	b := x.buckets
	b.dueAt = 0
	var mask uint64
	fresh, long := false, false
	oldest := now
	for i := range b.theirs {
		if e.past.hasBucket(i, b.theirs[i], now) {
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
	if e.storms && times == persistent && b.count(1) > stormBuckets {
		x.calmAt = now + stormPause*e.cfg.Heartbeat
	}
	if oldest == now { // all buckets are as they were a moment ago
		x.same, x.differ = true, 1
	}
	// The leading end asks. The other one asks only about a bucket that has differed for longer, so that the leader's digest did not
	// settle it. Unless a bucket reached its count just now, the pause after the last digest is kept.
	if mask == 0 || !(e.leads(l) || long || times == 1) || !fresh && now-x.digestAt < x.wait {
		return
	}
	if lag := e.load.lag; lag > 0 && e.digestAt != 0 && now-e.digestAt < e.cfg.Heartbeat+8*lag { // what one neighbour brings serves for all
		return
	}
	e.digestAt = now
	e.backOffDigest(x)
	e.sendDigest(l, mask, false)
}

// backOffDigest notes that a digest is sent, and sets how long the next one waits unless this one brings something.
func (e *exchanger) backOffDigest(x *exchange) {
	x.digestAt = e.now()
	x.wait = min(max(2*x.wait, e.cfg.Heartbeat), digestWaitMost)
}

// onDigest deals with a digest: what the sender lacks is sent, or listed if it is more than one window, and what we lack is asked
// for. With mask 0 it asks for the items listed. It reports whether one side had something for the other.
func (e *exchanger) onDigest(l *link, mask uint64, reply bool, claims []claim) (news bool) {
	if mask == 0 {
		e.table.send(l, claims)
		return false
	}
	x := e.table.of(l)
	lacks, gives := e.differences(mask, claims)
	x.missing = append(x.missing, lacks...)
	x.compared = true
	switch {
	case reply:
		x.answered()
	case e.table.weigh(gives, pullWindow) < pullWindow:
		e.table.send(l, gives)
	default:
		e.sendDigest(l, mask, true)
	}
	e.pull(l)
	return len(lacks)+len(gives) > 0
}

// differences compares the claims of a peer about the buckets of a mask with what we have: lacks are its claims that we are behind,
// gives are where it stands with items of which we have more.
func (e *exchanger) differences(mask uint64, claims []claim) (lacks, gives []claim) {
	listed := make(map[uint64]bool, len(claims))
	for _, theirs := range claims {
		listed[theirs.id] = true
		ours := e.table.claim(theirs.id)
		switch d := ours.compare(theirs); {
		case d < 0 && e.table.takes(theirs):
			lacks = append(lacks, theirs)
		case d > 0 && e.table.gives(ours, theirs):
			gives = append(gives, theirs)
		}
	}
	// The peer listed all that it has in these buckets, so what is not listed it lacks altogether.
	for _, ours := range e.table.claims(mask) {
		if !listed[ours.id] && e.table.gives(ours, claim{id: ours.id}) {
			gives = append(gives, claim{id: ours.id})
		}
	}
	return lacks, gives
}
