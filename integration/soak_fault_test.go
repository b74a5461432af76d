package integration

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	soakFaults = 3 // at the same time
	mostKilled = 4 // at once
	mostFrozen = 2 // at once
	mostCut    = 6 // nodes on the smaller side

	longestDown   = 6 * time.Second // until a killed node is started again
	longestFreeze = 12 * time.Second
	longestCut    = 12 * time.Second
	longestPause  = 2 * time.Second // between two faults
)

// fault is a fault that has begun.
type fault struct {
	what  string
	hosts []int // that are killed, frozen or without a cable, and take no other fault
	until time.Time
	end   func()
}

// trouble begins faults for some time, some beside each other, and returns when the last has ended: when links are whole, who was
// frozen runs and who was killed takes commands.
func (s *soak) trouble(d time.Duration) {
	s.t.Helper()
	last := time.Now().Add(d)
	for time.Now().Before(last) {
		s.endFaults()
		if len(s.faults) < soakFaults {
			if f := s.fault(); f != nil {
				s.note("begin", f)
				s.faults = append(s.faults, f)
				s.begun++
			}
		}
		wait(s.t, s.upTo(longestPause))
	}
	for len(s.faults) > 0 {
		first := slices.MinFunc(s.faults, func(a, b *fault) int { return a.until.Compare(b.until) })
		wait(s.t, time.Until(first.until))
		s.endFaults()
	}
}

// endFaults ends the faults whose time is over; all when the test has ended.
func (s *soak) endFaults() {
	s.t.Helper()
	s.faults = slices.DeleteFunc(s.faults, func(f *fault) bool {
		if time.Now().Before(f.until) && s.t.Context().Err() == nil {
			return false
		}
		s.note("end", f)
		f.end()
		return true
	})
}

func (s *soak) note(when string, f *fault) {
	s.t.Logf("%s %s %s %v", time.Now().UTC().Format("15:04:05.000"), when, f.what, f.hosts)
}

// upTo returns a random time.
func (s *soak) upTo(d time.Duration) time.Duration { return time.Duration(s.random.Int64N(int64(d))) }

// fault begins a random fault; nil where the one that was drawn is not possible now.
func (s *soak) fault() *fault {
	switch n := s.random.IntN(10); {
	case n < 4:
		return s.killSome(s.free(soakUnkilled+1, 1+s.random.IntN(mostKilled)))
	case n < 7:
		return s.freezeSome(s.free(1, 1+s.random.IntN(mostFrozen)))
	case n < 9:
		return s.cut()
	default:
		return s.pull(s.free(1, 1))
	}
}

// free returns at most n hosts from one on that no fault has yet, in no order.
func (s *soak) free(from, n int) []int {
	var hosts []int
	for _, i := range s.random.Perm(soakHosts) {
		host := i + 1
		taken := slices.ContainsFunc(s.faults, func(f *fault) bool { return slices.Contains(f.hosts, host) })
		if host >= from && !taken && len(hosts) < n {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func (s *soak) killSome(hosts []int) *fault {
	s.lock(hosts)
	s.kill(hosts...)
	return &fault{"kill", hosts, time.Now().Add(s.upTo(longestDown)), func() {
		for _, i := range hosts {
			s.agents[i].Restart(s.t)
			s.starts[i]++
		}
		for _, i := range hosts {
			s.open(i)
		}
		s.unlock(hosts)
	}}
}

func (s *soak) freezeSome(hosts []int) *fault {
	s.lock(hosts)
	for _, i := range hosts {
		if err := s.agents[i].Pause(); err != nil {
			s.t.Fatal(err)
		}
	}
	return &fault{"freeze", hosts, time.Now().Add(s.upTo(longestFreeze)), func() {
		for _, i := range hosts {
			if err := s.agents[i].Resume(); err != nil {
				s.t.Fatal(err)
			}
		}
		s.unlock(hosts)
	}}
}

// cut parts the network, unless it is parted. Who is cut off may have other faults too.
func (s *soak) cut() *fault {
	if slices.ContainsFunc(s.faults, func(f *fault) bool { return strings.HasPrefix(f.what, "cut") }) {
		return nil
	}
	hosts := to(soakHosts)
	s.random.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	off := hosts[:1+s.random.IntN(mostCut)]
	s.lab.Partition(hosts[len(off):], off)
	return &fault{fmt.Sprintf("cut off %v", off), nil, time.Now().Add(s.upTo(longestCut)), s.lab.Heal}
}

// pull pulls the cable of each host.
func (s *soak) pull(hosts []int) *fault {
	for _, i := range hosts {
		s.lab.Cable(i, false)
	}
	return &fault{"pull the cable of", hosts, time.Now().Add(s.upTo(longestCut)), func() {
		for _, i := range hosts {
			s.lab.Cable(i, true)
		}
	}}
}

// lock waits until no command is under way at the hosts and lets none begin.
func (s *soak) lock(hosts []int) {
	for _, i := range hosts {
		s.locks[i].Lock()
	}
}

func (s *soak) unlock(hosts []int) {
	for _, i := range hosts {
		s.locks[i].Unlock()
	}
}
