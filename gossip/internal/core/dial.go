package core

import (
	"cmp"
	"slices"
	"time"
)

// target is what to dial: a node, or an address of which only the address is known.
type target struct {
	slot    *slot // nil: only the address is known
	addr    string
	attempt uint64        // of the dial in flight, 0: none
	lost    bool          // a published link broke and the redial is undecided
	next    time.Duration // no dial before, in running time
	backoff time.Duration // the last pause, without its jitter; 0: the next failure has the shortest one

	wantedAt time.Duration // of a node: when the rings began to want a link to it

	named time.Duration // of a seed: when the application last named it; 0: it is remembered from an earlier life
	tried time.Duration // of a seed: when it was last dialled; 0: never
}

// dialler calls nodes, with a backoff per target that grows to Config.DialCap and then stays: an unreachable node is called for
// ever, since the first working link is what merges two halves.
//
// Seeds, addresses at which a node may run, wait in a fair queue: those that were never tried first, the newest word of the
// application before all, then the one whose last try is the longest ago. So dead addresses, however many, never keep a live one
// from its turn.
type dialler struct {
	*host
	store *store
	links *links
	judge *verdict
	ring  *rings

	seeds    []*target
	inFlight map[uint64]*target
	lost     []*target // may have lost set
	last     uint64
	dueAt    time.Duration
	seedAt   time.Duration // no further seed before
}

const (
	// maxSeeds bounds the addresses that are kept; beyond, the one that was named the longest ago is dropped.
	maxSeeds = 1024
	// maxSeedDials bounds the seeds that are tried at once, maxSeedDialsAlone while no other member is up: then nothing else is to be
	// done, and an address that does not answer holds its place for a whole Config.DialTimeout.
	maxSeedDials      = 4
	maxSeedDialsAlone = 256
	// seedGap is the time between two seeds while alone, after the first maxSeedDials.
	seedGap = 4 * time.Millisecond
)

// target returns the calls made to a node.
func (t *slot) target() *target {
	if t.call == nil {
		t.call = &target{slot: t}
	}
	return t.call
}

// target returns the calls made to a node whose link may be lost.
func (d *dialler) target(t *slot) *target {
	t.target()
	if !slices.Contains(d.lost, t.call) {
		d.lost = append(d.lost, t.call)
	}
	return t.call
}

// name adds addresses that the application names. One that is known already is due again at once, if it was not tried just now.
func (d *dialler) name(addrs []string, now time.Duration) {
	for _, a := range addrs {
		t := d.seed(a)
		if t == nil {
			continue
		}
		t.named = max(1, now)
		if t.backoff > 0 && now-t.tried > t.backoff/2 {
			t.next = min(t.next, now)
		}
	}
	soonest(&d.dueAt, now)
}

// remember adds addresses of an earlier life: tried after those that the application names.
func (d *dialler) remember(addrs []string, now time.Duration) {
	for _, a := range addrs {
		d.seed(a)
	}
	soonest(&d.dueAt, now)
}

// seed returns the seed with an address, a new one if need be; nil if it cannot be kept.
func (d *dialler) seed(addr string) *target {
	if addr == "" {
		return nil
	}
	if i := slices.IndexFunc(d.seeds, func(t *target) bool { return t.addr == addr }); i >= 0 {
		return d.seeds[i]
	}
	if len(d.seeds) >= maxSeeds {
		d.dropSeed()
	}
	t := &target{addr: addr}
	d.seeds = append(d.seeds, t)
	return t
}

// dropSeed drops the seed that was named the longest ago.
func (d *dialler) dropSeed() {
	oldest := -1
	for i, t := range d.seeds {
		if t.attempt == 0 && (oldest < 0 || t.named < d.seeds[oldest].named) {
			oldest = i
		}
	}
	d.seeds = slices.Delete(d.seeds, max(0, oldest), max(0, oldest)+1)
}

// dueSeeds returns the seeds that may be dialled now, in the order in which they are.
func (d *dialler) dueSeeds(now time.Duration, skip func(*target) bool) []*target {
	var due []*target
	for _, t := range d.seeds {
		switch {
		case t.attempt != 0 || skip(t):
		case now < t.next:
			soonest(&d.dueAt, t.next)
		default:
			due = append(due, t)
		}
	}
	slices.SortStableFunc(due, func(a, b *target) int {
		return cmp.Or(cmp.Compare(a.tried, b.tried), cmp.Compare(b.named, a.named))
	})
	return due
}

// busySeeds returns how many seeds have a dial in flight.
func (d *dialler) busySeeds() (n int) {
	for _, t := range d.seeds {
		if t.attempt != 0 {
			n++
		}
	}
	return n
}

// backOff sets when a target is dialled next: after a time that doubles, spread over half to one and a half of itself.
func (d *dialler) backOff(t *target, now time.Duration) {
	t.backoff = min(max(2*t.backoff, 250*time.Millisecond), d.cfg.DialCap)
	t.next = now + t.backoff/2 + time.Duration(d.rng.Int64N(int64(t.backoff)))
}

// work starts the dials that are due and finds out when the next one is.
func (d *dialler) work() {
	now := d.now()
	if d.dueAt == 0 || now < d.dueAt {
		return
	}
	d.dueAt = 0
	for _, t := range d.lost {
		if t.lost && d.links.byPeer[t.slot] == nil {
			d.dial(t, t.slot.addr)
		}
	}
	d.lost = slices.DeleteFunc(d.lost, func(t *target) bool { return !t.lost })
	for _, t := range d.ring.list {
		d.dialNeighbour(t)
	}
	d.dialSeeds()
}

// strainedDials bounds the dials under way to ring neighbours while this node or a neighbour is behind: handshakes that end at their
// deadline are work for nothing, and the more are begun the more do.
const strainedDials = 2

// dialNeighbour dials a ring neighbour. The predecessor dials; the successor does if nothing came for a while, as when the other
// cannot reach it.
func (d *dialler) dialNeighbour(t *slot) {
	if d.links.byPeer[t] != nil {
		return
	}
	call := t.target()
	if t.want == wantTaken {
		if at := call.wantedAt + 2*time.Second; d.now() < at {
			soonest(&d.dueAt, at)
			return
		}
	}
	if d.links.strain() > 0 && len(d.inFlight) >= strainedDials {
		soonest(&d.dueAt, d.now()+d.patiently(d.cfg.Relax))
		return
	}
	d.dial(call, t.addr)
}

// dialSeeds tries the addresses at which no member lives that is up: all we have while we are alone, and later what discovery
// knows and we do not, such as the other half of a cluster that never met.
func (d *dialler) dialSeeds() {
	now := d.now()
	if len(d.seeds) == 0 {
		return
	}
	soonest(&d.dueAt, now+d.cfg.DialCap) // one that is covered may not be so any longer by then
	most := maxSeedDials
	if d.judge.up == 1 {
		most = maxSeedDialsAlone
	}
	covered := d.coveredAddrs()
	busy := d.busySeeds()
	for _, t := range d.dueSeeds(now, covered) {
		if busy >= most {
			return // the end of one of them brings us back
		}
		if busy >= maxSeedDials && now < d.seedAt {
			soonest(&d.dueAt, d.seedAt)
			return
		}
		t.tried = max(1, now)
		if d.dial(t, t.addr) {
			busy++
			d.seedAt = now + seedGap
		}
	}
}

// coveredAddrs returns whether a seed needs no dial: it is this node, or a member that is up, has left or is linked lives there. The
// addresses of the members are looked at only for a seed of which that does not follow from the node that was last there.
func (d *dialler) coveredAddrs() func(*target) bool {
	var up map[string]bool
	return func(t *target) bool {
		s := t.slot
		if s != nil && (s == d.self || s.rec != nil && (s.up || s.left) || d.links.byPeer[s] != nil) {
			return true
		}
		if up == nil {
			up = d.upAddrs()
		}
		return up[t.addr]
	}
}

// upAddrs returns the addresses of the members that are up.
func (d *dialler) upAddrs() map[string]bool {
	up := make(map[string]bool, d.judge.up)
	up[d.cfg.Addr] = true
	for _, s := range d.store.slots {
		if s.up {
			up[s.addr] = true
		}
	}
	return up
}

// dial starts a dial unless one is in flight or it is too early.
func (d *dialler) dial(t *target, addr string) bool {

	if t.attempt != 0 {
		return false
	}
	if d.now() < t.next {
		soonest(&d.dueAt, t.next)
		return false
	}
	d.last++
	t.attempt = d.last
	d.inFlight[t.attempt] = t
	id := ""
	if t.slot != nil && t.slot.rec != nil {
		id = t.slot.rec.id
	}
	d.emit(Dial{ID: id, Addr: addr, Attempt: t.attempt})
	return true
}

// failed decides a redial, and sets the backoff.
func (d *dialler) failed(in DialFailed) {

	t := d.inFlight[in.Attempt]
	if t == nil {
		return
	}
	delete(d.inFlight, in.Attempt)
	t.attempt = 0
	d.backOff(t, d.now())
	if t.lost {
		t.lost = false
		d.links.publishNow()
		d.ring.soon(true)
	}
	soonest(&d.dueAt, d.now())
}

// dialled ends the dial that brought a link, and returns the place of the peer and the target, nil if there was none. The backoff
// stays until the link has lived for a while.
func (d *dialler) dialled(in LinkUp, node NodeID) (*slot, *target) {
	s := d.store.slot(node)
	now := d.now()
	t := d.inFlight[in.Attempt]
	if t != nil {
		delete(d.inFlight, in.Attempt)
		t.attempt = 0
		d.backOff(t, now)
		if t.slot != s && t.lost { // another node is there now
			t.lost = false
			d.links.publishNow()
		}
		if t.addr != "" { // a seed
			t.slot = s
		}
		soonest(&d.dueAt, now)
	}
	if s.call != nil {
		s.call.lost = false
	}
	return s, t
}

// redialSoon sets when the peer of a link that ended is dialled again.
func (d *dialler) redialSoon(l *link, call *target) {
	now := d.now()
	if now-l.since >= livedFor*d.cfg.Heartbeat {
		call.backoff, call.next = 0, now
	} else {
		d.backOff(call, now)
		if call.lost && call.next > now+d.cfg.Coalesce {
			call.lost = false
			d.links.publishNow()
		}
	}
	soonest(&d.dueAt, call.next)
}

// livedFor is how long a link must have lived, in heartbeats, for its peer to be dialled again at once. One that shakes hands and
// breaks is dialled with the backoff of one that cannot be reached.
const livedFor = 5
