package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Schedule is a random course of faults.
type Schedule struct {
	Seed uint64
	// Kind of faults; "" is KindOf(Seed).
	Kind  Kind
	Trace func(string)
	// Healed is how long all nodes needed to agree after the last fault.
	Healed time.Duration

	w       *World
	rng     *rand.Rand
	check   *Checker
	ledger  *Ledger
	writers *Writers
	old     []Disk   // by node: a copy of its disk to come back to
	dead    []string // addresses at which no node lives
	names   int      // given to nodes that replace others
}

// HealBound is the longest that agreement may take after the last fault: links that fell silent unseen are closed after at most
// three times Silence, backoffs last up to one and a half DialCap, and the hysteresis asks for up to 24 heartbeats.
func HealBound(c core.Config) time.Duration {
	return 3*c.Silence + c.DialCap*3/2 + c.DialTimeout + 30*c.Heartbeat
}

// Run plays the schedule and returns all invariants that did not hold.
func (s *Schedule) Run() error {
	s.rng = rand.New(rand.NewPCG(s.Seed, 99))
	if s.Kind == "" {
		s.Kind = KindOf(s.Seed)
	}
	s.begin()
	s.pass(5 * s.w.Core.Heartbeat)
	s.faults()
	s.heal()
	if err := s.check.Err(); err != nil {
		return fmt.Errorf("seed %d, %s, %d nodes: %w", s.Seed, s.Kind, len(s.w.Nodes), err)
	}
	return nil
}

// begin starts all nodes, and the writers if the kind has any.
func (s *Schedule) begin() {
	settings := s.settings()
	settings.Trace = s.Trace
	s.w = New(settings)
	s.check = NewChecker(s.w)
	s.ledger = NewLedger(s.w)
	s.check.Ledger = s.ledger
	s.old = make([]Disk, len(s.w.Nodes))
	if rate := s.rate(); rate > 0 {
		s.writers = NewWriters(s.w, s.ledger, rate)
		s.check.Writers = s.writers
		s.writers.Even = s.Kind == Busy && s.Seed%2 == 0
		if s.Kind == Bulk {
			s.writers.Size = 1<<10 + s.rng.IntN(40<<10)
		}
	}
	if s.Kind == Seeds {
		s.deadSeeds()
		for _, n := range s.w.Nodes {
			n.Start(s.seeds(s.w.Nodes[0].Addr)...)
		}
	} else {
		s.w.StartAll()
	}
	if s.writers != nil {
		s.writers.Start()
	}
}

// pass lets time pass, under watch.
func (s *Schedule) pass(d time.Duration) {
	for ; d > 0; d -= s.step() {
		s.w.Run(min(d, s.step()), nil)
		s.check.Check()
	}
}

// step is how often the invariants are looked at: every quarter of a heartbeat, over days every heartbeat.
func (s *Schedule) step() time.Duration {
	if s.Kind == Days {
		return s.w.Core.Heartbeat
	}
	return s.w.Core.Heartbeat / 4
}

// until lets time pass until a condition holds, and returns whether it did within a bound.
func (s *Schedule) until(bound time.Duration, ok func() bool) bool {
	for at, n := s.w.Now, 1; !ok(); n++ {
		if s.w.Now-at > bound {
			return false
		}
		if n%20 == 0 {
			s.discover()
		}
		s.pass(s.step())
	}
	return true
}

// heal ends all faults and waits for agreement.
func (s *Schedule) heal() {
	s.restore()
	w, at := s.w, s.w.Now
	if s.writers == nil {
		if !s.until(s.bound(), w.Agreed) {
			s.check.note("agreement", fmt.Errorf("none %v after the last fault", s.bound()))
		}
		s.Healed = w.Now - at
		s.forgive()
		s.last()
		return
	}
	if !s.until(s.bound(), w.Together) {
		s.check.note("agreement", fmt.Errorf("members are not up to each other %v after the last fault, while writes go on", s.bound()))
	}
	s.Healed = w.Now - at
	s.forgive()
	s.flow()
	s.writers.Pause()
	if !s.until(30*w.Core.Heartbeat, s.agreed) {
		s.check.note("agreement", fmt.Errorf("states differ long after the last write: %s", w.difference()))
	}
	s.last()
}

// agreed reports whether all running nodes have the same. A write that was made alone by a clock far ahead may be with some of them
// for long before the others take it, so that only what was acknowledged is compared.
func (s *Schedule) agreed() bool {
	if s.ledger.waiting() {
		return s.w.Together() && s.ledger.Spread(s.w.running(), 0, false) == nil
	}
	return s.w.Agreed()
}

// restore ends what was done to the world, and waits for the end of the stalls, which end by themselves.
func (s *Schedule) restore() {
	w := s.w
	s.until(20*w.Core.Heartbeat, func() bool {
		return !slices.ContainsFunc(w.Nodes, func(n *Node) bool { return n.Running() && n.stalled > w.Now })
	})
	w.Heal()
	w.Loss = 0
	for _, n := range w.Nodes {
		n.accept, n.slams = w.Accept, false
		n.Stutter(0, 0, 0)
		if n.reads != 0 {
			n.ReadSlowly(0)
		}
		if s.Kind != Plain && (n.off() != 0 || n.drift != 0) {
			n.Drift(0)
			n.SetClock(0)
		}
		if !n.Running() && n.Gone == "" {
			s.restart(n)
		}
	}
	s.discover()
}

// forgive takes out of the ledger what only nodes had that left or were removed for good: a node that learns of its removal when a
// cut heals stops, whatever it wrote meanwhile.
func (s *Schedule) forgive() {
	for _, n := range s.w.Nodes {
		if n.Gone != "" {
			s.ledger.Lost(n, newDisk())
		}
	}
}

// flow demands, while writes go on, that what is older than five heartbeats is everywhere: once within the bound, and from then on.
func (s *Schedule) flow() {
	w, age := s.w, 5*s.w.Core.Heartbeat+s.moved()
	s.pass(age)
	late := func() error { return s.ledger.Spread(w.running(), age, false) }
	if !s.until(s.bound(), func() bool { return late() == nil }) {
		s.check.note("writes arrive", fmt.Errorf("%v after the last fault: %w", s.bound(), late()))
		return
	}
	for range 40 {
		s.pass(s.step())
		s.check.note("writes arrive", late())
	}
}

// moved is how long the state takes over the bandwidth there is, three times.
func (s *Schedule) moved() time.Duration {
	if s.w.Bandwidth == 0 {
		return 0
	}
	bytes := 0
	for _, n := range s.w.Nodes {
		bytes += len(ownKeys)*s.writers.Size + 3*len(s.ledger.own[n.Index].values)
	}
	return 3 * transfer(bytes+len(sharedKeys)*s.writers.Size, s.w.Bandwidth)
}

// bound is how long after the last fault all must be well.
func (s *Schedule) bound() time.Duration {
	b := HealBound(s.w.Core) + s.moved()
	if s.Kind == Seeds {
		b += time.Duration(len(s.dead)) * s.w.Core.DialTimeout
	}
	return b
}

// last compares what the running nodes have with what was acknowledged.
func (s *Schedule) last() {
	w := s.w
	s.check.note("nothing is lost", s.ledger.Spread(w.running(), 0, true))
	s.check.note("own keys", s.ledger.OwnKeys(w.running()))
	s.check.note("removed stays removed", s.ledger.Removals(w.running(), 0))
	for _, n := range w.running() {
		s.check.note("the gone are forgotten", s.check.bounds.gone(n))
	}
}

// discover does what the discovery of an application does. Those that reach no others get the address of a running node: the addresses
// they know may all belong to members that left, or are gone, and in a full table those that are gone for long make room for others.
// And of parts of the cluster that have never heard of each other, a node of each gets an address of the first part: no protocol
// can find a member that no address list names.
func (s *Schedule) discover() {
	part := s.w.acquainted()
	for _, n := range s.w.Nodes {
		if !n.Running() || known(n) > 1 && !reachesNone(n) && part[n.Index] != n.Index {
			continue
		}
		for _, m := range s.w.Nodes {
			if m != n && m.Running() {
				n.Do(core.Join{Addrs: []string{m.Addr}})
				break
			}
		}
	}
}

// acquainted returns for each node the first one of its part: a part are running nodes of which each knows another one, or is known
// to it.
func (w *World) acquainted() []int {
	part := make([]int, len(w.Nodes))
	for i := range part {
		part[i] = i
	}
	for _, n := range w.running() {
		for _, m := range w.running() {
			if _, ok := member(n, m.ID); ok {
				join(part, n.Index, m.Index)
			}
		}
	}
	return part
}

// join makes one part of those of two nodes; each has the first one of its part.
func join(part []int, a, b int) {
	from, to := max(part[a], part[b]), min(part[a], part[b])
	for i, p := range part {
		if p == from {
			part[i] = to
		}
	}
}

func (s *Schedule) restart(n *Node) {
	disk := s.rng.IntN(2) == 0
	if !disk {
		s.ledger.Lost(n, newDisk())
	}
	n.Restart(disk, s.seeds(s.w.Nodes[0].Addr, s.any().Addr)...)
}

func (s *Schedule) any() *Node { return s.w.Nodes[s.rng.IntN(len(s.w.Nodes))] }

func (s *Schedule) lasting(d time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(d)))
}

// fault does one thing to the world; what is broken may be repaired as well.
func (s *Schedule) fault() {
	w, n := s.w, s.any()
	second := w.Core.Heartbeat
	switch k := s.rng.IntN(17); {
	case k < 4 && !n.Running():
		if s.Kind == Plain || n.Gone == "" {
			s.restart(n)
		}
	case k == 0:
		n.Crash()
	case k == 1:
		n.Vanish()
	case k == 2 && n.Running():
		n.Leave()
	case k == 3:
		n.Stall(s.lasting(12 * second))
	case k == 4:
		s.split()
	case k == 5, k == 6:
		if m := s.any(); m != n {
			w.Cut(n.Index, m.Index)
		}
	case k == 7:
		w.Heal()
	case k == 8 && s.wrongClocks():
		n.StepClock(s.lasting(time.Hour) - 30*time.Minute)
	case k == 8: // as far as clocks that are kept right may be apart
		n.StepClock(s.lasting(50*time.Second) - 25*time.Second - n.off())
	case k == 9:
		n.accept = s.lasting(2 * second)
		w.trace("%s takes %v to accept a link", n.ID, n.accept)
	case k == 10:
		w.Loss = s.rng.Float64() / 10
		w.trace("loss %.3f", w.Loss)
	case k == 11:
		s.crashSome(n)
	default:
		s.touch(n, k)
	}
}

// crashSome crashes up to half of the nodes, from one on.
func (s *Schedule) crashSome(from *Node) {
	for i := range s.rng.IntN(len(s.w.Nodes)/2 + 1) {
		if m := s.w.Nodes[(from.Index+i)%len(s.w.Nodes)]; m.Running() {
			m.Crash()
		}
	}
}

// touch removes a member, or writes.
func (s *Schedule) touch(n *Node, k int) {
	switch {
	case k == 12 && !s.wrongClocks() && s.Kind != Clocks && s.rng.IntN(8) == 0:
		s.remove(n, s.any())
	case k > 13 && !s.wrongClocks():
		s.share(n)
	case n.Running():
		_ = s.ledger.Set(n, fmt.Sprint(s.rng.IntN(4)), fmt.Sprint(s.w.Now), 0)
		s.ledger.Delete(n, fmt.Sprint(s.rng.IntN(4)))
	}
}

func (s *Schedule) remove(n, m *Node) {
	s.w.trace("%s removes %s", n.ID, m.ID)
	if n.Running() {
		s.ledger.Remove(n, m)
	}
}

// wrongClocks reports whether clocks step by up to half an hour. Stamps of the future are refused then, so a plain schedule shares
// nothing.
func (s *Schedule) wrongClocks() bool { return s.Kind == Plain && s.Seed%2 == 1 }

// share writes to the shared map; some keys have a TTL.
func (s *Schedule) share(n *Node) {
	key := fmt.Sprint(s.rng.IntN(6))
	if s.rng.IntN(3) == 0 {
		if n.Running() {
			s.ledger.Unshare(n, key)
		}
		return
	}
	ttl := time.Duration(0)
	if s.rng.IntN(4) == 0 {
		ttl = s.lasting(20 * time.Second)
	}
	if n.Running() {
		_ = s.ledger.Share(n, key, fmt.Sprint(n.ID, s.w.Now), ttl)
	}
}

func (s *Schedule) split() {
	var side []int
	for i := range s.w.Nodes {
		if s.rng.IntN(2) == 0 {
			side = append(side, i)
		}
	}
	s.w.Partition(1+s.rng.IntN(3), side...)
}
