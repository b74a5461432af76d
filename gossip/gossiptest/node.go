package gossiptest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

type state uint8

const (
	dead    state = iota // no process; the host refuses dials
	running              //
	silent               // no host: nothing answers
)

// Node is one simulated host and the process on it.
type Node struct {
	Index int
	ID    string
	Addr  string
	Core  *core.Core
	Count Counters

	world   *World
	hash    core.NodeID
	state   state
	life    int // counts starts
	stalled time.Duration
	skew    time.Duration // of its clock
	streams map[core.LinkID]*stream
	// Rejoin has the next start take back the node's removal.
	Rejoin bool
	tickAt time.Duration
	tick   uint64 // token of the tick that counts
	accept time.Duration
	busy   time.Duration // until then the listener serves earlier handshakes

	generation uint64
	// What is remembered over a restart.
	diskShared  map[sharedKey]core.SharedEntry
	diskMembers map[string]core.Remember
	diskContact core.Contact
	Gone        string // why it stopped by itself
}

type sharedKey struct {
	space core.Space
	key   string
}

// Running tells whether the node's process runs.
func (n *Node) Running() bool { return n.state == running }

// Start starts the process; seeds are addresses to join.
func (n *Node) Start(seeds ...string) {
	w := n.world
	n.state, n.stalled, n.Gone = running, 0, ""
	n.life++
	cfg := w.Core
	cfg.ID, cfg.Addr, cfg.Rejoin = n.ID, n.Addr, n.Rejoin
	cfg.Generation = uint64(n.clock().UnixMilli())
	n.generation = cfg.Generation
	n.Core = core.New(cfg, rand.New(rand.NewPCG(w.Seed, uint64(n.Index)<<20+uint64(n.life))), n.clock())
	n.tickAt = 0
	w.trace("%s starts", n.ID)
	if len(n.diskMembers)+len(n.diskShared) > 0 {
		n.step(n.restored())
	}
	// The first tick comes at a time of its own, so that nodes started together do not beat together.
	if len(seeds) > 0 {
		n.step(core.Join{Addrs: seeds})
	} else {
		n.step(core.Tick{})
	}
}

func (n *Node) clock() time.Time { return n.world.base.Add(n.world.Now + n.skew) }

// Do hands an input to the core.
func (n *Node) Do(in core.Input) { n.step(in) }

func (n *Node) step(in core.Input) {
	if n.state != running {
		return
	}
	for _, o := range n.Core.Step(n.clock(), in) {
		n.act(o)
	}
	if n.state == running {
		n.schedule()
	}
	if n.world.OnStep != nil {
		n.world.OnStep(n)
	}
}

// schedule sets the next tick.
func (n *Node) schedule() {
	w := n.world
	at := w.Now + max(0, n.Core.NextTick().Sub(n.clock()))
	if n.tickAt > w.Now && n.tickAt <= at {
		return
	}
	n.tickAt = at
	n.tick++
	token, life := n.tick, n.life
	w.After(at-w.Now, n, func() {
		if n.tick == token && n.life == life {
			n.tickAt = 0
			n.step(core.Tick{})
		}
	})
}

func (n *Node) act(o core.Output) {
	w := n.world
	if w.OnOutput != nil {
		w.OnOutput(n, o)
	}
	switch o := o.(type) {
	case core.Send:
		if s := n.streams[o.Link]; s != nil {
			s.send(n, o.Frame)
		}
	case core.Dial:
		n.dial(o)
	case core.Close:
		if s := n.streams[o.Link]; s != nil {
			s.close(n, o.Graceful)
		}
	case core.Renewed:
		n.generation = o.Generation
		w.trace("%s takes generation +%d", n.ID, o.Generation-uint64(w.base.UnixMilli()))
	case core.Removed:
		w.trace("%s stops: it was removed", n.ID)
		n.Gone = "removed"
		clear(n.diskShared) // it is put aside
		clear(n.diskMembers)
		n.diskContact = core.Contact{}
		n.exit()
	case core.RememberShared:
		n.diskShared[sharedKey{o.Entry.Space, o.Entry.Key}] = *o.Entry
	case core.ForgetShared:
		delete(n.diskShared, sharedKey{o.Space, o.Key})
	case core.Contact:
		n.diskContact = o
	case core.Remember:
		n.diskMembers[o.ID] = o
	case core.Forget:
		delete(n.diskMembers, o.ID)
	case core.Conflict:
		w.trace("%s stops: another process has its name", n.ID)
		n.Gone = "conflict"
		n.exit()
	case core.Rejected:
		if o.Reason == core.ReasonClockAhead {
			return
		}
		panic(fmt.Sprintf("%s rejected: %s", n.ID, o.Reason))
	}
}

// exit ends the process after its last words.
func (n *Node) exit() {
	w := n.world
	life := n.life
	w.After(50*time.Millisecond, nil, func() {
		if n.life == life && n.state == running {
			n.Crash()
		}
	})
}

// Crash kills the process; its host closes the streams and refuses dials.
func (n *Node) Crash() {
	n.world.trace("%s crashes", n.ID)
	n.state = dead
	for _, s := range n.sorted() {
		s.close(n, false)
	}
}

// Vanish kills the host: nothing is heard of it any more.
func (n *Node) Vanish() {
	n.world.trace("%s falls silent", n.ID)
	n.state = silent
	for _, s := range n.sorted() {
		s.closed[s.end(n)] = true
	}
	clear(n.streams)
}

// Leave says goodbye and ends the process.
func (n *Node) Leave() {
	n.world.trace("%s leaves", n.ID)
	n.step(core.Leave{})
	n.Gone = "left"
	n.exit()
}

// Restart starts the process again: with its disk it knows the members and the shared map of its last life, without it only seeds.
func (n *Node) Restart(disk bool, seeds ...string) {
	if !disk {
		clear(n.diskShared)
		clear(n.diskMembers)
		n.diskContact = core.Contact{}
	}
	n.Start(seeds...)
}

// restored is what the disk holds, in a fixed order.
func (n *Node) restored() core.Restore {
	in := core.Restore{Contact: n.diskContact.At, Floor: n.diskContact.Floor}
	for _, id := range slices.Sorted(maps.Keys(n.diskMembers)) {
		in.Members = append(in.Members, n.diskMembers[id])
	}
	for _, e := range n.diskShared {
		in.Shared = append(in.Shared, e)
	}
	slices.SortFunc(in.Shared, func(a, b core.SharedEntry) int { return cmp.Compare(a.Key, b.Key) })
	return in
}

// Stall freezes the process for d.
func (n *Node) Stall(d time.Duration) {
	n.world.trace("%s stalls for %v", n.ID, d)
	n.stalled = n.world.Now + d
}

// StepClock moves the node's clock.
func (n *Node) StepClock(d time.Duration) {
	n.world.trace("%s's clock steps by %v", n.ID, d)
	n.skew += d // timers run on: they count durations
}
