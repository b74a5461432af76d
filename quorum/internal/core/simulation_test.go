package core

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/internal/sim"
)

// simulation is a number of members in virtual time, with the checker over them.
type simulation struct {
	seed     uint64
	w        simWorld
	cfg      Config
	groups   []GroupSettings
	nodes    []*simNode
	birth    Birth
	first    []Voter
	requests *traffic
	history  *history // nil: none is recorded
	check    *checker
	checks   map[Birth]*checker // of other births
	others   map[Birth][]Voter  // first voters of other births
	errs     []error
	byName   map[string]*simNode
	nextID   uint64

	operations uint64 // requests of operators so far

	lies         bool // views are wrong at random
	encode       bool // frames go through their encoding
	predecessors bool // a restarted process presents the session of the one before it
	traffic      bool // requests on the map
	calm         bool // views change by starts, crashes and elections alone: for many members
	epoch        int  // counts those
	mutant       mutants
	pausedClock  bool
	keepID       bool // a mutant: a member keeps its identity when its disk is lost
}

// simWorld adds what the simulation draws at random.
type simWorld struct{ *sim.World }

// Rand2 returns a random time up to d.
func (w simWorld) Rand2(d time.Duration) time.Duration {
	return time.Duration(w.Rand.Int64N(int64(d) + 1))
}

// simConfig has a lease and patience so short that a minute of virtual time sees many of their ends.
func simConfig() Config {
	cfg := DefaultConfig()
	cfg.Lease, cfg.ReplaceAfter, cfg.Settled, cfg.Quiet, cfg.KeepEntries = 3*time.Second, 4*time.Second, time.Second, 2*time.Second, 64
	return cfg
}

func newSimulation(members int, seed uint64) *simulation {
	s := &simulation{seed: seed, w: simWorld{sim.New(members, seed)}, cfg: simConfig(), birth: NewBirth(7, seed), byName: map[string]*simNode{},
		checks: map[Birth]*checker{}, others: map[Birth][]Voter{}}
	s.groups = []GroupSettings{{Name: "orders", Shards: 24, Copies: 1, Weight: 1}}
	s.check = newChecker(s, s.birth)
	s.w.Net.Deliver = func(from, to *sim.Host, message any) { s.deliver(s.nodes[from.Index], s.nodes[to.Index], message) }
	s.w.Net.Broken = func(at, peer *sim.Host) { s.nodes[at.Index].step(LinkDown{s.nodes[peer.Index].name}) }
	for _, h := range s.w.Hosts {
		s.addNode(h)
	}
	return s
}

func (s *simulation) addNode(h *sim.Host) *simNode {
	n := &simNode{s: s, host: h, name: fmt.Sprintf("n%d", h.Index), zone: string(rune('a' + h.Index%3)), versions: map[string]uint64{}}
	n.disk.id = s.newID()
	s.nodes = append(s.nodes, n)
	s.byName[n.name] = n
	return n
}

// newID returns an identity that was never used.
func (s *simulation) newID() uint64 {
	s.nextID++
	return s.nextID<<32 | uint64(s.w.Rand.Uint32())
}

// start starts all members; the first ones are the voters of the birth.
func (s *simulation) start() {
	for _, n := range s.nodes[:min(s.cfg.Voters, len(s.nodes))] {
		s.first = append(s.first, Voter{n.disk.id, n.name})
	}
	for _, n := range s.nodes {
		n.start()
	}
}

// firstVoters returns what a formation names to a member: nothing once its disk is another one.
func (s *simulation) firstVoters(n *simNode) []Voter {
	if n.birth != 0 {
		return s.others[n.birth]
	}
	if slices.ContainsFunc(s.first, func(v Voter) bool { return v.ID == n.disk.id }) {
		return s.first
	}
	return nil
}

func (s *simulation) fail(rule, format string, args ...any) {
	if len(s.errs) < 5 {
		s.errs = append(s.errs, fmt.Errorf("%.4fs: %s: "+format, append([]any{s.w.Now.Seconds(), rule}, args...)...))
	}
	s.w.Logf("BROKEN %s: "+format, append([]any{rule}, args...)...)
}

// send puts a frame on the wire.
func (s *simulation) send(n *simNode, o Send) {
	n.checker().sends(n, o)
	to := s.byName[o.To]
	if to == nil {
		return
	}
	if s.w.Trace != nil {
		s.w.Logf("%s > %s %s", n.name, o.To, describe(o.Frame))
	}
	if s.encode {
		s.w.Net.Send(n.host, to.host, AppendFrame(nil, o.Frame))
		return
	}
	s.w.Net.Send(n.host, to.host, o.Frame)
}

func describe(f Frame) string {
	if f, ok := f.(*RaftFrame); ok {
		m := f.Message
		return fmt.Sprintf("%v term %d index %d commit %d entries %d reject %v", m.GetType(), m.GetTerm(), m.GetIndex(), m.GetCommit(), len(m.GetEntries()), m.GetReject())
	}
	text := fmt.Sprintf("%T%+v", f, f)
	return strings.TrimPrefix(text[:min(len(text), 200)], "*core.")
}

func (s *simulation) deliver(from, to *simNode, message any) {
	f, ok := message.(Frame)
	if b, encoded := message.([]byte); encoded {
		var err error
		if f, err = ParseFrame(b); err != nil {
			s.fail("encoding", "%s to %s: %v", from, to, err)
			return
		}
	} else if !ok {
		return
	}
	to.checker().receives(to, from, f)
	to.step(Received{From: from.name, Frame: f})
}

// scheduleView has a node get views from now on.
func (s *simulation) scheduleView(n *simNode) {
	life := n.host.Life()
	s.w.After(20*time.Millisecond+s.w.Rand2(60*time.Millisecond), n.host, func() {
		if n.host.Life() != life {
			return
		}
		if s.calm && n.epoch == s.epoch {
			s.scheduleView(n)
			return
		}
		n.epoch = s.epoch
		if v := s.view(n); !slices.Equal(v.Members, n.viewed) {
			n.viewed = v.Members
			n.step(v)
		}
		s.scheduleView(n)
	})
}

// view returns what a membership core would show: who can be reached and reacts; if it lies, one answer in ten is wrong.
func (s *simulation) view(n *simNode) View {
	v := View{Members: make([]Member, 0, len(s.nodes))}
	for _, m := range s.nodes {
		up := m == n || m.host.Running() && !s.w.Net.Blocked(n.host.Index, m.host.Index) && !s.w.Net.Blocked(m.host.Index, n.host.Index)
		if m.host.Frozen() && s.w.Now-m.frozenAt > 1500*time.Millisecond {
			up = false
		}
		if s.lies && s.w.Rand.IntN(10) == 0 {
			up = !up
		}
		seen := Member{Name: m.name, Voter: m.disk.id, Zone: m.zone, Disk: m.host.Index%4 != 3, Up: up, Left: m.gone && m.host.Running()}
		if up {
			seen.Leads = m.leads
			if m.core != nil {
				seen.Birth = m.core.birth
			}
		}
		v.Members = append(v.Members, seen)
	}
	return v
}

// run lets time pass.
func (s *simulation) run(d time.Duration) { s.w.Run(d, nil) }

// until lets time pass until a condition holds; it returns whether it did within d.
func (s *simulation) until(d time.Duration, ok func() bool) bool {
	for end := s.w.Now + d; s.w.Now < end; {
		if ok() {
			return true
		}
		s.run(10 * time.Millisecond)
	}
	return ok()
}

// leader returns the node that leads in the highest term, nil if none does.
func (s *simulation) leader() *simNode {
	var best *simNode
	for _, n := range s.nodes {
		if n.host.Running() && n.leads > 0 && (best == nil || n.leads > best.leads) {
			best = n
		}
	}
	return best
}

// mostAdvanced returns the node that has applied the most, whether it runs or not.
func (s *simulation) mostAdvanced() *simNode {
	return slices.MaxFunc(s.nodes, func(a, b *simNode) int { return cmp.Compare(a.applied(), b.applied()) })
}

func (n *simNode) applied() uint64 {
	if n.core == nil || n.core.raft == nil {
		return 0
	}
	return n.core.raft.applied
}

// allHeld reports whether each shard has one holder whose function runs under a valid lease.
func (s *simulation) allHeld() bool {
	for _, g := range s.groups {
		held := map[int]bool{}
		for _, n := range s.nodes {
			if !n.host.Running() || n.host.Frozen() || !n.valid() {
				continue
			}
			for k, w := range n.works {
				if k.group == g.Name && !w.stopped && s.check.current(k, w.token) {
					held[k.shard] = true
				}
			}
		}
		if len(held) != g.Shards {
			return false
		}
	}
	return true
}

// votersFit reports whether there are as many voters as wanted, all of them live members with their disks.
func (s *simulation) votersFit() bool {
	l := s.leader()
	if l == nil || l.core.raft == nil {
		return false
	}
	conf := l.core.raft.conf
	if len(conf.GetVotersOutgoing()) > 0 || len(conf.GetVoters()) != min(s.cfg.Voters, len(s.nodes)) {
		return false
	}
	for _, id := range conf.GetVoters() {
		if !slices.ContainsFunc(s.nodes, func(n *simNode) bool { return n.host.Running() && n.disk.id == id }) {
			return false
		}
	}
	return true
}

func (s *simulation) err() error {
	if len(s.errs) == 0 {
		return nil
	}
	return fmt.Errorf("seed %d: %w", s.seed, s.errs[0])
}
