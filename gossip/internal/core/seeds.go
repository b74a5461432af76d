package core

import (
	"cmp"
	"slices"
	"time"
)

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
