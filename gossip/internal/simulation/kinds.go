package simulation

import (
	"fmt"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Kind is what a random schedule does to a world.
type Kind string

// The kinds of schedules.
const (
	Plain  Kind = "plain"  // faults of hosts, processes and the network
	Busy   Kind = "busy"   // the same, with writes during every fault and after the last
	Clocks Kind = "clocks" // clocks that step, alone and together, and drift; processes that pause often
	Disks  Kind = "disks"  // disks that are lost or replaced by older copies; removals
	Bulk   Kind = "bulk"   // large values, little bandwidth, slow readers
	Table  Kind = "table"  // room for few members, and many names over time
	Seeds  Kind = "seeds"  // seeds that swallow dials or refuse them; peers that break streams at once
	Days   Kind = "days"   // thirty days with faults that last hours, see DaySettings
)

// Kinds are those that KindOf chooses from: all but Days.
var Kinds = []Kind{Plain, Busy, Clocks, Disks, Bulk, Table, Seeds}

// KindOf is the kind of the schedule of a seed: two seeds after each other share one.
func KindOf(seed uint64) Kind { return Kinds[seed/2%uint64(len(Kinds))] }

// worldSettings are those of the kind.
func (s *Schedule) worldSettings() Settings {
	switch s.Kind {
	case Plain:
		return DefaultSettings(5+s.rng.IntN(28), s.Seed)
	case Days:
		return DaySettings(6+s.rng.IntN(5), s.Seed)
	}
	set := DefaultSettings(3+s.rng.IntN(8), s.Seed)
	switch s.Kind {
	case Bulk:
		set.Bandwidth = 1<<20 + s.rng.IntN(10<<20)
	case Table:
		set.Core.Limits.Members = set.Nodes + 2
		set.Core.ForgetAfter = time.Minute
		set.Core.Horizon = time.Hour
	}
	return set
}

// writeRate is how many writes the kind makes in a second.
func (s *Schedule) writeRate() float64 {
	switch s.Kind {
	case Plain:
		return 0
	case Days:
		return 0.5 / 60
	case Clocks, Table, Seeds:
		return 2
	}
	return 0.5 + 19.5*s.rng.Float64()
}

// playFaults plays the faults of the kind, in turn with those that all kinds have.
func (s *Schedule) playFaults() {
	most := 8 * time.Second
	special := map[Kind]func(){Busy: s.busyFault, Clocks: s.clockFault, Disks: s.diskFault, Bulk: s.bulkFault, Table: s.tableFault, Seeds: s.seedFault,
		Days: s.dayFault}[s.Kind]
	times, often := 5+s.rng.IntN(20), 2
	if s.Kind == Days {
		most, times = 24*time.Hour, 60
	}
	if s.Kind == Busy {
		often = 6 // it takes long
	}
	for range times {
		if special != nil && s.rng.IntN(often) == 0 {
			special()
		} else {
			s.injectFault()
		}
		s.runFor(s.randomDuration(most))
	}
}

// busyFault cuts all links, twice and for longer than it takes to see it.
func (s *Schedule) busyFault() {
	for range 2 {
		for _, n := range s.w.Nodes {
			s.w.side[n.Index] = n.Index
		}
		s.w.trace("all links are cut")
		s.runFor(5*time.Second + s.randomDuration(10*time.Second))
		s.w.Heal()
		s.runFor(s.randomDuration(15 * time.Second))
	}
}

// clockFault steps, drifts or freezes what time hangs on.
func (s *Schedule) clockFault() {
	w, n := s.w, s.randomNode()
	switch s.rng.IntN(6) {
	case 0:
		w.StepClocks(s.randomDuration(20*time.Minute) - 10*time.Minute)
	case 1:
		n.StepClock(s.randomDuration(time.Hour) - 30*time.Minute)
	case 2:
		n.SetClock(0)
	case 3:
		n.Drift(s.rng.Float64()/50 - 0.01)
	case 4:
		if n.Running() {
			n.Stutter(70, 900*time.Millisecond, 1500*time.Millisecond)
		}
	case 5:
		for _, m := range w.Nodes {
			m.SetClock(0)
		}
	}
}

// diskFault copies, loses or sets back a disk, or restarts all at once.
func (s *Schedule) diskFault() {
	n := s.randomNode()
	switch s.rng.IntN(6) {
	case 5:
		s.restartBehind()
	case 0:
		s.old[n.Index] = n.Disk()
	case 1:
		if n.Gone == "" {
			s.setBack(n)
		}
	case 2:
		for _, m := range s.w.Nodes {
			if m.Running() && m.Gone == "" {
				m.Crash()
				m.Restart(true, s.w.Nodes[0].Addr)
			}
		}
	case 3:
		s.removeMember(n, s.randomNode())
	case 4:
		if n.Gone == "removed" && !n.Running() {
			s.restartRemoved(n)
		}
	}
}

// restartBehind restarts all at once, with clocks that are behind.
func (s *Schedule) restartBehind() {
	for _, m := range s.w.Nodes {
		if m.Running() && m.Gone == "" {
			m.Crash()
		}
	}
	s.w.StepClocks(-s.randomDuration(20 * time.Minute))
	for _, m := range s.w.Nodes {
		if !m.Running() && m.Gone == "" {
			m.Restart(true, s.w.Nodes[0].Addr, s.randomNode().Addr)
		}
	}
}

// setBack restarts a node with an older copy of its disk.
func (s *Schedule) setBack(n *Node) {
	if n.Running() {
		n.Crash()
	}
	to := s.old[n.Index]
	if to.shared == nil {
		to = newDisk()
	}
	s.ledger.Lost(n, to)
	n.SetDisk(to)
	n.Restart(true, s.w.Nodes[0].Addr, s.randomNode().Addr)
}

// restartRemoved starts a removed node again, on purpose or not.
func (s *Schedule) restartRemoved(n *Node) {
	if n.Rejoin = s.rng.IntN(2) == 0; n.Rejoin {
		s.ledger.Rejoined(n.ID)
	}
	n.Restart(false, s.w.Nodes[0].Addr, s.randomNode().Addr)
}

// bulkFault makes a node slow, or lets it read fast again.
func (s *Schedule) bulkFault() {
	n := s.randomNode()
	switch s.rng.IntN(4) {
	case 0:
		n.ReadSlowly(20<<10 + s.rng.IntN(1<<20))
	case 1:
		n.ReadSlowly(0)
	case 2:
		s.w.Duplicate(n, s.randomNode())
	case 3:
		if !n.Running() && n.Gone == "" {
			s.restartNode(n)
		}
	}
}

// tableFault replaces a node by another one, as a rollout does.
func (s *Schedule) tableFault() {
	n := s.randomNode()
	if n.Running() && s.rng.IntN(2) == 0 && n.Gone == "" {
		n.Leave()
		s.runFor(s.w.Core.Heartbeat)
	} else if n.Running() {
		n.Crash()
	}
	s.ledger.Lost(n, newDisk())
	s.names++
	n.Replace(fmt.Sprintf("m%d", s.names))
	n.Start(s.w.Nodes[0].Addr, s.randomNode().Addr, s.randomNode().Addr)
}

// deadSeeds makes up addresses at which no node lives; half of them refuse.
func (s *Schedule) deadSeeds() {
	for i := range s.rng.IntN(24) {
		s.dead = append(s.dead, fmt.Sprintf("10.9.0.%d:7946", i))
		if i%2 == 0 {
			s.w.Refuse(s.dead[i])
		}
	}
	s.check.Seeds = len(s.dead)
}

// mixSeeds mixes addresses with those at which no node lives.
func (s *Schedule) mixSeeds(live ...string) []string {
	if len(s.dead) == 0 {
		return live
	}
	all := append(append([]string{}, s.dead...), live...)
	s.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// seedFault gives a node seeds, or has it break streams.
func (s *Schedule) seedFault() {
	n := s.randomNode()
	switch {
	case s.rng.IntN(2) == 0:
		n.Slam(!n.slams)
	case n.Running():
		n.Do(core.Join{Addrs: s.mixSeeds(s.randomNode().Addr)})
	}
}

// dayFault is one that lasts for long: a node that is cut off, replaced, or comes back after days.
func (s *Schedule) dayFault() {
	n := s.randomNode()
	switch s.rng.IntN(4) {
	case 0:
		s.w.Partition(1, n.Index)
	case 1:
		s.w.Heal()
	case 2:
		s.tableFault()
	case 3:
		if !n.Running() && n.Gone == "" {
			s.restartNode(n)
		}
	}
}
