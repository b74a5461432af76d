package core

import (
	"math/rand/v2"
	"slices"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// schedule is a random course of faults against a quorum.
type schedule struct {
	*simulation
	rng      *rand.Rand
	faults   int
	operator bool          // pins, moves and exclusions on the way
	power    bool          // faults are losses of power: some members at once, which come back with their disks
	healed   time.Duration // from the last fault until all shards were held
}

// newSchedule draws the circumstances of a seed.
func newSchedule(seed uint64) *schedule {
	rng := rand.New(rand.NewPCG(seed, 77))
	s := &schedule{simulation: newSimulation(5+rng.IntN(3), seed), rng: rng, faults: 15}
	switch rng.IntN(8) {
	case 0:
		s.cfg.Voters = 1
	case 1, 2:
		s.cfg.Voters = 5
	}
	s.lies = rng.IntN(3) == 0
	s.predecessors = rng.IntN(2) == 0
	s.encode = seed%8 == 0
	s.traffic = rng.IntN(2) == 0
	s.operator = rng.IntN(2) == 0
	s.groups = append(s.groups, GroupSettings{Name: "leader", Shards: 1, Copies: 1, Weight: 1})
	if rng.IntN(3) == 0 {
		s.groups[0].Copies = 2
	}
	if rng.IntN(4) == 0 {
		s.groups[0].Return = time.Duration(rng.IntN(6)) * time.Second
	}
	if rng.IntN(3) == 0 {
		s.groups = append(s.groups, GroupSettings{Name: "fenced", Shards: 6, Copies: 1, Weight: 1, Level: Fenced})
	}
	for _, n := range s.nodes {
		n.host.Clock.SetRate(1 + (rng.Float64()-0.5)*0.018)
		n.host.Clock.NoBoot = rng.IntN(4) == 0
		if rng.IntN(3) == 0 {
			n.slow = time.Duration(rng.IntN(4000)) * time.Millisecond
		}
		if rng.IntN(6) == 0 {
			n.disk.slow = time.Duration(rng.IntN(60)) * time.Millisecond
		}
	}
	return s
}

// run plays the schedule and returns the first invariant that did not hold.
func (s *schedule) play() error {
	s.start()
	if s.traffic {
		s.startTraffic()
	}
	s.run(2 * time.Second)
	for range s.faults {
		s.fault()
		if s.operator {
			s.interfere()
		}
		s.run(100*time.Millisecond + time.Duration(s.rng.Int64N(int64(4*time.Second))))
		if len(s.errs) > 0 {
			return s.err()
		}
	}
	s.heal()
	return s.err()
}

// fault begins one fault, or ends those of the network.
func (s *schedule) fault() {
	if s.power {
		for range 1 + s.rng.IntN(3) {
			s.kill(s.any(), true)
		}
		return
	}
	switch s.rng.IntN(14) {
	case 0, 1:
		s.kill(s.any(), true)
	case 2:
		s.kill(s.any(), false)
	case 3, 4:
		s.freeze(s.any())
	case 5:
		s.suspend(s.any())
	case 6:
		s.partition()
	case 7:
		n := s.any()
		s.w.Logf("%s is isolated", n)
		s.w.Net.Partition(n.host.Index+1, n.host.Index)
	case 8:
		s.cuts()
	case 9:
		s.w.Net.Loss, s.w.Net.Break = s.rng.Float64()*0.3, s.rng.Float64()*0.02
		s.w.Logf("loss %.2f, break %.3f", s.w.Net.Loss, s.w.Net.Break)
	case 10:
		n := s.any()
		if n.host.Frozen() && n.host.Clock.NoBoot {
			return // see LeaseClock: nothing on such a host can show the suspend then
		}
		n.steppedAt = s.w.Now
		n.host.Clock.Step += time.Duration(s.rng.IntN(7200)-3600) * time.Second
		s.w.Logf("the wall clock of %s is off by %v", n, n.host.Clock.Step)
	case 11:
		s.leave(s.any())
	default:
		s.w.Logf("the network heals")
		s.w.Net.Heal()
		s.w.Net.Loss, s.w.Net.Break = 0, 0
	}
}

// any returns a member, the leader as often as all others together.
func (s *schedule) any() *simNode {
	if l := s.leader(); l != nil && s.rng.IntN(2) == 0 {
		return l
	}
	return s.nodes[s.rng.IntN(len(s.nodes))]
}

// kill ends a process, which comes back after a while, with or without its disk.
func (s *schedule) kill(n *simNode, disk bool) {
	if !n.host.Running() || !disk && !s.mayLose(n) {
		return
	}
	n.crash()
	if !disk {
		s.loseDisk(n)
	}
	life := n.host.Life()
	s.w.After(50*time.Millisecond+time.Duration(s.rng.Int64N(int64(8*time.Second))), nil, func() {
		if n.host.Life() == life {
			n.start()
		}
	})
}

func (s *schedule) loseDisk(n *simNode) {
	s.w.Logf("%s loses its disk", n)
	id := s.newID()
	if s.keepID {
		id = n.disk.id
	}
	n.disk.lose(id)
}

// mayLose reports whether a quorum of the voters keeps its disks if a member loses its own: more is not promised. Voters
// elect by the configuration that they have applied, so this must hold in that of each of them.
func (s *simulation) mayLose(n *simNode) bool {
	ahead := s.mostAdvanced().core
	if ahead == nil || ahead.raft == nil || s.changePending(ahead) {
		return false
	}
	for _, o := range s.nodes {
		if o.core == nil || o.core.raft == nil || o.core != ahead && !confHas(ahead.raft.conf, o.disk.id) {
			continue
		}
		conf := o.core.raft.conf
		if !s.keepsQuorum(conf.GetVoters(), n) || !s.keepsQuorum(conf.GetVotersOutgoing(), n) {
			return false
		}
	}
	return true
}

// keepsQuorum reports whether most of some voters have their disks, a member left out.
func (s *simulation) keepsQuorum(voters []uint64, without *simNode) bool {
	kept := 0
	for _, id := range voters {
		if slices.ContainsFunc(s.nodes, func(o *simNode) bool { return o != without && o.disk.id == id && o.disk.saved.Birth != 0 }) {
			kept++
		}
	}
	return len(voters) == 0 || 2*kept > len(voters)
}

// changePending reports whether a change of voters is in some log and not applied by the member that is ahead.
func (s *simulation) changePending(ahead *Core) bool {
	for _, n := range s.nodes {
		for _, e := range slices.Concat(n.disk.saved.Entries, n.disk.unsaved()) {
			if e.GetType() != pb.EntryNormal && e.GetIndex() > ahead.raft.applied {
				return true
			}
		}
	}
	return false
}

func (d *simDisk) unsaved() []*entry {
	var out []*entry
	for _, p := range d.waiting {
		out = append(out, p.Entries...)
	}
	return out
}

// freeze has a process stand still for up to three leases.
func (s *schedule) freeze(n *simNode) {
	d := time.Duration(s.rng.Int64N(int64(3 * s.cfg.Lease)))
	s.w.Logf("%s freezes for %v", n, d)
	n.frozenAt = s.w.Now
	n.host.Freeze(d)
}

func (s *schedule) suspend(n *simNode) {
	if n.host.Clock.NoBoot && n.steppedAt > 0 && s.w.Now-n.steppedAt < time.Second {
		return
	}
	d := time.Duration(s.rng.Int64N(int64(3 * s.cfg.Lease)))
	s.w.Logf("%s is suspended for %v", n, d)
	n.frozenAt = s.w.Now
	n.host.Suspend(d)
}

func (s *schedule) partition() {
	for _, n := range s.nodes {
		side := s.rng.IntN(2)
		s.w.Net.Partition(side, n.host.Index)
		s.w.Logf("%s is on side %d", n, side)
	}
}

// cuts cuts single directions: random ones, or all from or to one member.
func (s *schedule) cuts() {
	n, kind := s.any(), s.rng.IntN(3)
	s.w.Logf("cuts of kind %d around %s", kind, n)
	for i := range s.nodes {
		switch {
		case kind == 0 && i != n.host.Index:
			s.w.Net.Cut(n.host.Index, i)
		case kind == 1 && i != n.host.Index:
			s.w.Net.Cut(i, n.host.Index)
		case kind == 2:
			s.w.Net.Cut(s.rng.IntN(len(s.nodes)), s.rng.IntN(len(s.nodes)))
		}
	}
}

// leave drains a member and ends its process, which comes back later with its disk.
func (s *schedule) leave(n *simNode) {
	if !n.host.Running() {
		return
	}
	s.w.Logf("%s drains", n)
	life := n.host.Life()
	var in Input = Drain{}
	if s.rng.IntN(2) == 0 {
		in = Leave{Timeout: time.Duration(s.rng.IntN(6000)) * time.Millisecond}
	}
	s.w.After(0, n.host, func() { n.step(in) })
	s.w.After(5*time.Second, nil, func() {
		if n.host.Life() != life {
			return
		}
		n.crash()
		s.w.After(time.Second, nil, func() {
			if n.host.Life() == life {
				n.start()
			}
		})
	})
}

// heal ends all faults and demands that all shards are held and the voters whole again within their bounds.
func (s *schedule) heal() {
	s.w.Net.Heal()
	if s.w.Net.Loss > 0 {
		s.w.Net.Loss = 0
		s.run(3 * time.Second) // TCP's timers have backed off
	}
	s.w.Net.Loss, s.w.Net.Break, s.lies = 0, 0, false
	s.until(3*s.cfg.Lease+9*time.Second, func() bool { // what ends by itself
		return !slices.ContainsFunc(s.nodes, func(n *simNode) bool {
			return !n.host.Running() || n.host.Frozen() || n.core.member.draining
		})
	})
	s.w.Logf("the last fault is over")
	at := s.w.Now
	bound := s.cfg.Lease + 3*time.Second + 2*time.Second + s.slowest()
	if !s.until(bound, s.allHeld) {
		s.fail("I7", "not all shards are held %v after the last fault", bound)
	}
	s.healed = s.w.Now - at
	if !s.until(bound+5*time.Second, s.directed) {
		s.fail("I9", "pinned shards are not at their members, or excluded members hold some")
	}
	if !s.until(30*time.Second, s.votersFit) {
		s.fail("I7", "the voters are not whole 30s after the last fault")
	}
	if !s.until(5*time.Second, s.standbysKnow) {
		s.fail("I10", "standbys of the table and those that members were asked to be differ")
	}
	if s.traffic {
		s.endTraffic()
	}
	for _, n := range s.nodes {
		if r := n.core.raft; r != nil && r.applied == s.check.model.table.index {
			s.check.compare(n)
		}
	}
}

// slowest is how long the slowest function takes to return: its shard waits for it.
func (s *schedule) slowest() time.Duration {
	var d time.Duration
	for _, n := range s.nodes {
		d = max(d, n.slow)
	}
	return d
}
