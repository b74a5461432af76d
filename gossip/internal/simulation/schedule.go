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
	s.startAll()
	s.runFor(5 * s.w.Core.Heartbeat)
	s.playFaults()
	s.healAndAgree()
	if err := s.check.Err(); err != nil {
		return fmt.Errorf("seed %d, %s, %d nodes: %w", s.Seed, s.Kind, len(s.w.Nodes), err)
	}
	return nil
}

// startAll starts all nodes, and the writers if the kind has any.
func (s *Schedule) startAll() {
	settings := s.worldSettings()
	settings.Trace = s.Trace
	s.w = New(settings)
	s.check = NewChecker(s.w)
	s.ledger = NewLedger(s.w)
	s.check.Ledger = s.ledger
	s.old = make([]Disk, len(s.w.Nodes))
	if rate := s.writeRate(); rate > 0 {
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
			n.Start(s.mixSeeds(s.w.Nodes[0].Addr)...)
		}
	} else {
		s.w.StartAll()
	}
	if s.writers != nil {
		s.writers.Start()
	}
}

// runFor lets time pass, under watch.
func (s *Schedule) runFor(d time.Duration) {
	for ; d > 0; d -= s.checkInterval() {
		s.w.Run(min(d, s.checkInterval()), nil)
		s.check.Check()
	}
}

// checkInterval is how often the invariants are looked at: every quarter of a heartbeat, over days every heartbeat.
func (s *Schedule) checkInterval() time.Duration {
	if s.Kind == Days {
		return s.w.Core.Heartbeat
	}
	return s.w.Core.Heartbeat / 4
}

// runUntil lets time pass until a condition holds, and returns whether it did within a bound.
func (s *Schedule) runUntil(bound time.Duration, ok func() bool) bool {
	for at, n := s.w.Now, 1; !ok(); n++ {
		if s.w.Now-at > bound {
			return false
		}
		if n%20 == 0 {
			s.rediscoverPeers()
		}
		s.runFor(s.checkInterval())
	}
	return true
}

// healAndAgree ends all faults and waits for agreement.
func (s *Schedule) healAndAgree() {
	s.endFaults()
	w, at := s.w, s.w.Now
	if s.writers == nil {
		if !s.runUntil(s.agreementBound(), w.Agreed) {
			s.check.noteViolation("agreement", fmt.Errorf("none %v after the last fault", s.agreementBound()))
		}
		s.Healed = w.Now - at
		s.forgetLostWrites()
		s.checkAcknowledged()
		return
	}
	if !s.runUntil(s.agreementBound(), w.Together) {
		s.check.noteViolation("agreement", fmt.Errorf("members are not up to each other %v after the last fault, while writes go on", s.agreementBound()))
	}
	s.Healed = w.Now - at
	s.forgetLostWrites()
	s.checkFlow()
	s.writers.Pause()
	if !s.runUntil(30*w.Core.Heartbeat, s.allAgree) {
		s.check.noteViolation("agreement", fmt.Errorf("states differ long after the last write: %s", w.describeDifference()))
	}
	s.checkAcknowledged()
}

// allAgree reports whether all running nodes have the same. A write that was made alone by a clock far ahead may be with some of them
// for long before the others take it, so that only what was acknowledged is compared.
func (s *Schedule) allAgree() bool {
	if s.ledger.hasFutureWrites() {
		return s.w.Together() && s.ledger.Spread(s.w.runningNodes(), 0, false) == nil
	}
	return s.w.Agreed()
}

// endFaults ends what was done to the world, and waits for the end of the stalls, which end by themselves.
func (s *Schedule) endFaults() {
	w := s.w
	s.runUntil(20*w.Core.Heartbeat, func() bool {
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
		if s.Kind != Plain && (n.clockOffset() != 0 || n.drift != 0) {
			n.Drift(0)
			n.SetClock(0)
		}
		if !n.Running() && n.Gone == "" {
			s.restartNode(n)
		}
	}
	s.rediscoverPeers()
}

// forgetLostWrites takes out of the ledger what only nodes had that left or were removed for good: a node that learns of its removal when a
// cut heals stops, whatever it wrote meanwhile.
func (s *Schedule) forgetLostWrites() {
	for _, n := range s.w.Nodes {
		if n.Gone != "" {
			s.ledger.Lost(n, newDisk())
		}
	}
}

// checkFlow demands, while writes go on, that what is older than five heartbeats is everywhere: once within the bound, and from then on.
func (s *Schedule) checkFlow() {
	w, age := s.w, 5*s.w.Core.Heartbeat+s.transferBound()
	s.runFor(age)
	late := func() error { return s.ledger.Spread(w.runningNodes(), age, false) }
	if !s.runUntil(s.agreementBound(), func() bool { return late() == nil }) {
		s.check.noteViolation("writes arrive", fmt.Errorf("%v after the last fault: %w", s.agreementBound(), late()))
		return
	}
	for range 40 {
		s.runFor(s.checkInterval())
		s.check.noteViolation("writes arrive", late())
	}
}

// transferBound is how long the state takes over the bandwidth there is, three times.
func (s *Schedule) transferBound() time.Duration {
	if s.w.Bandwidth == 0 {
		return 0
	}
	bytes := 0
	for _, n := range s.w.Nodes {
		bytes += len(ownKeys)*s.writers.Size + 3*len(s.ledger.own[n.Index].values)
	}
	return 3 * transferTime(bytes+len(sharedKeys)*s.writers.Size, s.w.Bandwidth)
}

// agreementBound is how long after the last fault all must be well.
func (s *Schedule) agreementBound() time.Duration {
	b := HealBound(s.w.Core) + s.transferBound()
	if s.Kind == Seeds {
		b += time.Duration(len(s.dead)) * s.w.Core.DialTimeout
	}
	return b
}

// checkAcknowledged compares what the running nodes have with what was acknowledged.
func (s *Schedule) checkAcknowledged() {
	w := s.w
	s.check.noteViolation("nothing is lost", s.ledger.Spread(w.runningNodes(), 0, true))
	s.check.noteViolation("own keys", s.ledger.OwnKeys(w.runningNodes()))
	s.check.noteViolation("removed stays removed", s.ledger.Removals(w.runningNodes(), 0))
	for _, n := range w.runningNodes() {
		s.check.noteViolation("the gone are forgotten", s.check.bounds.checkGone(n))
	}
}

// rediscoverPeers does what the discovery of an application does. Those that reach no others get the address of a running node: the addresses
// they know may all belong to members that left, or are gone, and in a full table those that are gone for long make room for others.
// And of parts of the cluster that have never heard of each other, a node of each gets an address of the first part: no protocol
// can find a member that no address list names.
func (s *Schedule) rediscoverPeers() {
	part := s.w.knownPartitions()
	for _, n := range s.w.Nodes {
		if !n.Running() || recordCount(n) > 1 && !reachesNone(n) && part[n.Index] != n.Index {
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

// knownPartitions returns for each node the first one of its part: a part are running nodes of which each knows another one, or is known
// to it.
func (w *World) knownPartitions() []int {
	part := make([]int, len(w.Nodes))
	for i := range part {
		part[i] = i
	}
	for _, n := range w.runningNodes() {
		for _, m := range w.runningNodes() {
			if _, ok := member(n, m.ID); ok {
				joinParts(part, n.Index, m.Index)
			}
		}
	}
	return part
}

// joinParts makes one part of those of two nodes; each has the first one of its part.
func joinParts(part []int, a, b int) {
	from, to := max(part[a], part[b]), min(part[a], part[b])
	for i, p := range part {
		if p == from {
			part[i] = to
		}
	}
}

func (s *Schedule) restartNode(n *Node) {
	disk := s.rng.IntN(2) == 0
	if !disk {
		s.ledger.Lost(n, newDisk())
	}
	n.Restart(disk, s.mixSeeds(s.w.Nodes[0].Addr, s.randomNode().Addr)...)
}

func (s *Schedule) randomNode() *Node { return s.w.Nodes[s.rng.IntN(len(s.w.Nodes))] }

func (s *Schedule) randomDuration(d time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(d)))
}

// injectFault does one thing to the world; what is broken may be repaired as well.
func (s *Schedule) injectFault() {
	w, n := s.w, s.randomNode()
	second := w.Core.Heartbeat
	switch k := s.rng.IntN(17); {
	case k < 4 && !n.Running():
		if s.Kind == Plain || n.Gone == "" {
			s.restartNode(n)
		}
	case k == 0:
		n.Crash()
	case k == 1:
		n.Vanish()
	case k == 2 && n.Running():
		n.Leave()
	case k == 3:
		n.Stall(s.randomDuration(12 * second))
	case k == 4:
		s.cutPartition()
	case k == 5, k == 6:
		if m := s.randomNode(); m != n {
			w.Cut(n.Index, m.Index)
		}
	case k == 7:
		w.Heal()
	case k == 8 && s.wrongClocks():
		n.StepClock(s.randomDuration(time.Hour) - 30*time.Minute)
	case k == 8: // as far as clocks that are kept right may be apart
		n.StepClock(s.randomDuration(50*time.Second) - 25*time.Second - n.clockOffset())
	case k == 9:
		n.accept = s.randomDuration(2 * second)
		w.trace("%s takes %v to accept a link", n.ID, n.accept)
	case k == 10:
		w.Loss = s.rng.Float64() / 10
		w.trace("loss %.3f", w.Loss)
	case k == 11:
		s.crashSome(n)
	default:
		s.removeOrWrite(n, k)
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

// removeOrWrite removes a member, or writes.
func (s *Schedule) removeOrWrite(n *Node, k int) {
	switch {
	case k == 12 && !s.wrongClocks() && s.Kind != Clocks && s.rng.IntN(8) == 0:
		s.removeMember(n, s.randomNode())
	case k > 13 && !s.wrongClocks():
		s.writeShared(n)
	case n.Running():
		_ = s.ledger.Set(n, fmt.Sprint(s.rng.IntN(4)), fmt.Sprint(s.w.Now), 0)
		s.ledger.Delete(n, fmt.Sprint(s.rng.IntN(4)))
	}
}

func (s *Schedule) removeMember(n, m *Node) {
	s.w.trace("%s removes %s", n.ID, m.ID)
	if n.Running() {
		s.ledger.Remove(n, m)
	}
}

// wrongClocks reports whether clocks step by up to half an hour. Stamps of the future are refused then, so a plain schedule shares
// nothing.
func (s *Schedule) wrongClocks() bool { return s.Kind == Plain && s.Seed%2 == 1 }

// writeShared writes to the shared map; some keys have a TTL.
func (s *Schedule) writeShared(n *Node) {
	key := fmt.Sprint(s.rng.IntN(6))
	if s.rng.IntN(3) == 0 {
		if n.Running() {
			s.ledger.Unshare(n, key)
		}
		return
	}
	ttl := time.Duration(0)
	if s.rng.IntN(4) == 0 {
		ttl = s.randomDuration(20 * time.Second)
	}
	if n.Running() {
		_ = s.ledger.Share(n, key, fmt.Sprint(n.ID, s.w.Now), ttl)
	}
}

func (s *Schedule) cutPartition() {
	var side []int
	for i := range s.w.Nodes {
		if s.rng.IntN(2) == 0 {
			side = append(side, i)
		}
	}
	s.w.Partition(1+s.rng.IntN(3), side...)
}
