package gossiptest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

// Schedule is a random course of faults.
type Schedule struct {
	Seed  uint64
	Trace func(string)
	// Healed is how long all nodes needed to agree after the last fault.
	Healed time.Duration

	w     *World
	rng   *rand.Rand
	check *Checker
}

// HealBound is the longest that agreement may take after the last fault: links that fell silent unseen are closed after at most
// three times Silence, backoffs last up to one and a half DialCap, and the hysteresis asks for up to 24 heartbeats.
func HealBound(c core.Config) time.Duration {
	return 3*c.Silence + c.DialCap*3/2 + c.DialTimeout + 30*c.Heartbeat
}

// liveGrace is how long a link must have lived to count in the invariant: relaxed publication, and hops of relaxed pushes that
// may be lost and sent again.
func liveGrace(c core.Config) time.Duration { return 3*c.Relax + 4*c.Heartbeat }

// Run plays the schedule and returns the first invariant broken.
func (s *Schedule) Run() error {
	s.rng = rand.New(rand.NewPCG(s.Seed, 99))
	settings := DefaultSettings(5+s.rng.IntN(28), s.Seed)
	settings.Trace = s.Trace
	s.w = New(settings)
	s.check = NewChecker(s.w, liveGrace(settings.Core))
	s.w.StartAll()
	if err := s.pass(5 * time.Second); err != nil {
		return err
	}
	for range 5 + s.rng.IntN(20) {
		s.fault()
		if err := s.pass(time.Duration(s.rng.Int64N(int64(8 * time.Second)))); err != nil {
			return err
		}
	}
	return s.heal()
}

// pass lets time pass, under watch.
func (s *Schedule) pass(d time.Duration) error {
	for ; d > 0; d -= CheckEvery {
		s.w.Run(min(d, CheckEvery), nil)
		if err := s.check.Check(); err != nil {
			return fmt.Errorf("seed %d, %d nodes: %w", s.Seed, len(s.w.Nodes), err)
		}
	}
	return nil
}

// heal ends all faults and waits for agreement.
func (s *Schedule) heal() error {
	w := s.w
	w.Heal()
	w.Loss = 0
	for _, n := range w.Nodes {
		n.accept = w.Accept
		if !n.Running() && n.Gone == "" {
			s.restart(n)
		}
	}
	s.discover()
	at := w.Now
	for !w.Agreed() {
		if w.Now-at > HealBound(w.Core) {
			return fmt.Errorf("seed %d, %d nodes: no agreement %v after the last fault", s.Seed, len(w.Nodes), w.Now-at)
		}
		if err := s.pass(CheckEvery); err != nil {
			return err
		}
	}
	s.Healed = w.Now - at
	return nil
}

// discover tells those that know nobody where somebody lives: the addresses they were started with may all belong to members
// that left, and nobody calls one that said goodbye.
func (s *Schedule) discover() {
	for _, n := range s.w.Nodes {
		if !n.Running() || known(n) > 1 {
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

func (s *Schedule) restart(n *Node) { n.Restart(s.rng.IntN(2) == 0, s.w.Nodes[0].Addr, s.any().Addr) }

func (s *Schedule) any() *Node { return s.w.Nodes[s.rng.IntN(len(s.w.Nodes))] }

func (s *Schedule) lasting(d time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(d)))
}

// fault does one thing to the world; what is broken may be mended as well.
func (s *Schedule) fault() {
	w, n := s.w, s.any()
	switch k := s.rng.IntN(17); {
	case k < 4 && !n.Running():
		s.restart(n)
	case k == 0:
		n.Crash()
	case k == 1:
		n.Vanish()
	case k == 2 && n.Running():
		n.Leave()
	case k == 3:
		n.Stall(s.lasting(12 * time.Second))
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
		n.StepClock(s.lasting(50*time.Second) - 25*time.Second - n.skew)
	case k == 9:
		n.accept = s.lasting(2 * time.Second)
		w.trace("%s takes %v to accept a link", n.ID, n.accept)
	case k == 10:
		w.Loss = s.rng.Float64() / 10
		w.trace("loss %.3f", w.Loss)
	case k == 11:
		for i := range s.rng.IntN(len(w.Nodes)/2 + 1) {
			if m := w.Nodes[(n.Index+i)%len(w.Nodes)]; m.Running() {
				m.Crash()
			}
		}
	case k == 12 && !s.wrongClocks() && s.rng.IntN(8) == 0:
		m := s.any()
		w.trace("%s removes %s", n.ID, m.ID)
		n.step(core.Remove{ID: m.ID})
	case k > 13 && !s.wrongClocks():
		s.share(n)
	default:
		n.step(core.Set{Key: fmt.Sprint(s.rng.IntN(4)), Value: fmt.Sprint(w.Now)})
		n.step(core.Delete{Key: fmt.Sprint(s.rng.IntN(4))})
	}
}

// wrongClocks tells whether clocks step by up to half an hour. Stamps of the future are refused then, so nothing is shared.
func (s *Schedule) wrongClocks() bool { return s.Seed%2 == 1 }

// share writes to the shared map; some keys go by themselves.
func (s *Schedule) share(n *Node) {
	key := fmt.Sprint(s.rng.IntN(6))
	if s.rng.IntN(3) == 0 {
		n.step(core.SharedDelete{Key: key})
		return
	}
	ttl := time.Duration(0)
	if s.rng.IntN(4) == 0 {
		ttl = s.lasting(20 * time.Second)
	}
	n.step(core.SharedSet{Key: key, Value: fmt.Sprint(n.ID, s.w.Now), TTL: ttl})
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
