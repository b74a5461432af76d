package core

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goconvoke/convoke/internal/sim"
)

// simNode is a simulated member: a host, its disk, and the process on it.
type simNode struct {
	s     *simulation
	host  *sim.Host
	name  string
	core  *Core
	clock LeaseClock
	disk  simDisk
	birth Birth // that a formation, or another birth, led it to; 0: that of the simulation
	came  Birth // the birth before it
	zone  string

	works  map[simKey]*simWork
	stands map[simKey]bool // shards that it was asked to prepare for
	leads  uint64
	until  time.Duration // of the lease, by Now.Lease
	tickAt time.Duration // true time of the next tick
	tick   int
	slow   time.Duration // how long its functions take to return, at most
	gone   bool          // drained: its process ends
	stuck  bool          // its functions do not return

	lastBase, paused time.Duration // for the clock that stands still
	viewed           []Member      // the last view
	epoch            int           // of it
	frozenAt         time.Duration
	steppedAt        time.Duration     // when its wall clock was set last
	versions         map[string]uint64 // of keys of the map, as last seen
	requests         map[uint64]*simRequest
	watch            simWatch
}

type simKey struct {
	group string
	shard int
}

// simWork is a function that runs for a shard.
type simWork struct {
	token   Token
	node    *simNode
	life    int
	stopped bool
	lost    bool // it was ended because the lease is over
}

// now reads the node's clocks.
func (n *simNode) now() Now {
	mono, boot, wall := n.host.Clock.Read(n.s.w.Now)
	now := n.clock.Read(mono, boot, wall)
	if n.s.pausedClock { // a mutant: the lease clock is the one that moves every deadline by a pause
		if gap := now.Lease - n.lastBase; gap > 300*time.Millisecond {
			n.paused += gap
		}
		n.lastBase = now.Lease
		now.Lease -= n.paused
	}
	return now
}

// valid reports whether the node's lease holds at this instant, as its own clock shows, without disturbing it.
func (n *simNode) valid() bool {
	mono, boot, wall := n.host.Clock.Read(n.s.w.Now)
	clock := n.clock
	return clock.Read(mono, boot, wall).Lease-n.paused < n.until
}

// start begins a process with what is on the disk.
func (n *simNode) start() {
	s := n.s
	s.epoch++
	n.host.Start()
	n.clock, n.until, n.leads, n.viewed, n.gone = LeaseClock{}, 0, 0, nil, false
	n.lastBase, n.paused = 0, 0
	n.watch = simWatch{}
	n.stands = map[simKey]bool{}
	n.works, n.requests = map[simKey]*simWork{}, map[uint64]*simRequest{}
	cfg := s.cfg
	cfg.Name, cfg.ID, cfg.Zone = n.name, n.disk.id, n.zone
	if s.predecessors {
		cfg.Predecessor = n.disk.session
	}
	c, err := New(cfg, n.disk.saved, rand.New(rand.NewPCG(s.seed, uint64(n.host.Index)<<20+uint64(n.host.Life()))))
	if err != nil {
		s.fail("start", "%s: %v", n.name, err)
		n.host.Crash()
		return
	}
	n.core, c.mutant = c, s.mutant
	c.onApply = func(e *entry) { n.checker().applied(n, e) }
	s.w.Logf("%s starts as voter %x", n.name, n.disk.id)
	n.step(Tick{})
	for _, g := range s.groups {
		n.step(Serve{g})
	}
	if n.core.birth == 0 {
		s.w.After(s.w.Rand2(200*time.Millisecond), n.host, func() { n.step(Found{Birth: n.home(), Voters: s.firstVoters(n), CameFrom: n.came}) })
	}
	s.scheduleView(n)
}

// step hands an input to the core and does what it returns.
func (n *simNode) step(in Input) {
	if !n.host.Running() {
		return
	}
	out := n.core.Step(n.now(), in)
	for _, o := range out {
		n.act(o)
	}
	n.checker().holders(n)
	n.schedule()
}

// schedule sets the next tick.
func (n *simNode) schedule() {
	w := n.s.w
	d := n.host.Clock.Until(n.core.NextTick() - n.core.now.Running)
	if n.tickAt > w.Now && n.tickAt <= w.Now+d {
		return
	}
	n.tickAt = w.Now + d
	n.tick++
	token := n.tick
	w.After(d, n.host, func() {
		if n.tick == token {
			n.tickAt = 0
			n.step(Tick{})
		}
	})
}

func (n *simNode) act(o Output) {
	s := n.s
	switch o := o.(type) {
	case Send:
		s.send(n, o)
	case Persist:
		n.disk.write(n, o)
	case Start:
		n.begin(o)
	case Stop:
		s.w.Logf("%s stops %s/%d token %x lost %v", n.name, o.Group, o.Shard, o.Token, o.Lost)
		if w := n.works[simKey{o.Group, o.Shard}]; w != nil && w.token == o.Token {
			w.lost = w.lost || o.Lost
		}
		n.end(simKey{o.Group, o.Shard}, o.Token)
	case Standby:
		n.standsBy(o)
	case Lease:
		n.until = o.Until
		n.disk.session = o.Session
	case Lost:
		n.until = 0
		s.w.Logf("%s lost session %d", n.name, o.Session)
	case Leading:
		n.leads = o.Term
		s.epoch++
		n.checker().leading(n, o.Term)
	case Drained:
		n.gone = true
	case Left:
		n.left(o)
	case OtherBirth:
		if o.Birth < n.core.birth {
			s.w.After(time.Millisecond, n.host, func() { n.step(EndBirth{o.Birth}) })
		}
	case BirthEnded:
		s.w.After(0, n.host, func() { n.join(o) })
	case Result:
		n.result(o)
	case Rejected:
		s.fail("rejected", "%s: %s: %s", n.name, o.Peer, o.Reason)
	case Failed:
		s.fail("failed", "%s: %s", n.name, o.Reason)
		s.w.After(0, n.host, n.crash)
	}
}

// left takes the end of a leave. That it was made a learner meanwhile, as its session is over and its leave not known yet, harms nothing.
func (n *simNode) left(o Left) {
	n.gone = true
	if ahead := n.s.mostAdvanced().core; !o.Voter && ahead.raft != nil && confVotes(ahead.raft.conf, n.disk.id) {
		n.s.fail("I11", "%s left as no voter, and is one", n)
	}
	if o.Shards != len(n.works) {
		n.s.fail("I11", "%s left with %d functions, reported %d", n, len(n.works), o.Shards)
	}
}

// standsBy takes the report of a standby, which must be one of a change.
func (n *simNode) standsBy(o Standby) {
	k := simKey{o.Group, o.Shard}
	if n.stands[k] == o.On {
		n.s.fail("standby", "%s: %v was reported as %v before", n, k, o.On)
	}
	if n.stands[k] = o.On; !o.On {
		delete(n.stands, k)
	}
}

// begin begins a function.
func (n *simNode) begin(o Start) {
	n.s.w.Logf("%s begins %s/%d token %x", n.name, o.Group, o.Shard, o.Token)
	k := simKey{o.Group, o.Shard}
	if w := n.works[k]; w != nil {
		n.s.fail("one call", "%s begins %v with token %x while %x runs", n.name, k, o.Token, w.token)
	}
	w := &simWork{token: o.Token, node: n, life: n.host.Life()}
	n.works[k] = w
	delete(n.stands, k)
	n.checker().begins(k, w)
	n.s.checkJoined(n, o.Token)
	if n.s.w.Rand.IntN(200) == 0 { // it returns by itself
		n.end(k, o.Token)
	}
}

// end has a function return after a while.
func (n *simNode) end(k simKey, t Token) {
	s, life := n.s, n.host.Life()
	if n.stuck {
		return
	}
	d := s.w.Rand2(20 * time.Millisecond)
	if n.slow > 0 && s.w.Rand.IntN(3) == 0 {
		d = s.w.Rand2(n.slow)
	}
	s.w.After(d, n.host, func() {
		w := n.works[k]
		if w == nil || w.token != t || n.host.Life() != life {
			return
		}
		w.stopped = true
		delete(n.works, k)
		n.step(Stopped{Group: k.group, Shard: k.shard, Token: t})
	})
}

// crash ends the process. What the disk had not finished is there in part: some of the commits, in order.
func (n *simNode) crash() {
	if !n.host.Running() {
		return
	}
	n.s.w.Logf("%s crashes", n.name)
	n.s.epoch++
	n.host.Crash()
	n.disk.tear(n.s.w.Rand)
	n.leads, n.tickAt, n.until = 0, 0, 0
	clear(n.stands)
	for _, w := range n.works {
		w.stopped = true
	}
	n.s.crashedRequests(n)
}

func (n *simNode) String() string { return fmt.Sprint(n.name) }
