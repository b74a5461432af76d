package simulation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
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
	shown map[string]core.Member // members as the core reports their changes; made again with each core
	Count Counters

	world    *World
	hash     core.NodeID
	state    state
	life     int // counts starts
	stalled  time.Duration
	stutters int           // calls of Stutter
	skew     time.Duration // of its clock, see clockOffset
	drift    float64       // what its clock gains since driftFrom
	// driftFrom is when the drift began, clockAt when the clock was last stepped.
	driftFrom, clockAt time.Duration
	streams            map[core.LinkID]*stream
	// Rejoin has the next start take back the node's removal.
	Rejoin bool
	tickAt time.Duration
	tick   uint64 // token of the tick that counts
	accept time.Duration
	busy   time.Duration // until then the listener serves earlier handshakes

	generation uint64
	disk       Disk
	reads      int           // bytes per second that it reads in all; 0: unlimited
	readFree   time.Duration // when it has read what came
	slams      bool          // it breaks a stream at once after the handshake
	Gone       string        // why it stopped by itself
}

// Running reports whether the node's process runs.
func (n *Node) Running() bool { return n.state == running }

// Start starts the process; seeds are addresses to join.
func (n *Node) Start(seeds ...string) {
	w := n.world
	n.state, n.stalled, n.Gone = running, 0, ""
	n.life++
	cfg := w.Core
	cfg.ID, cfg.Addr, cfg.Rejoin = n.ID, n.Addr, n.Rejoin
	cfg.Generation = uint64(n.clockTime().UnixMilli())
	n.generation = cfg.Generation
	n.shown = map[string]core.Member{}
	n.Core = core.New(cfg, rand.New(rand.NewPCG(w.Seed, uint64(n.Index)<<20+uint64(n.life))), n.clockTime())
	n.tickAt = 0
	w.trace("%s starts", n.ID)
	n.restoreFromDisk()
	// The first tick comes at a time of its own, so that nodes started together do not beat together.
	if len(seeds) > 0 {
		n.stepCore(core.Join{Addrs: seeds})
	} else {
		n.stepCore(core.Tick{})
	}
}

// Do hands an input to the core.
func (n *Node) Do(in core.Input) { n.stepCore(in) }

func (n *Node) stepCore(in core.Input) {
	if n.state != running {
		return
	}
	n.world.Count.Steps++
	out := n.Core.Step(n.clockTime(), in)
	if n.world.OnInput != nil {
		n.world.OnInput(n, in, out)
	}
	for _, o := range out {
		n.doOutput(o)
	}
	if n.state == running {
		n.scheduleTick()
	}
	if n.world.OnStep != nil {
		n.world.OnStep(n)
	}
}

// scheduleTick sets the next tick.
func (n *Node) scheduleTick() {
	w := n.world
	at := w.Now + max(0, n.Core.NextTick().Sub(n.clockTime()))
	if n.tickAt > w.Now && n.tickAt <= at {
		return
	}
	n.tickAt = at
	n.tick++
	token, life := n.tick, n.life
	w.After(at-w.Now, n, func() {
		if n.tick == token && n.life == life {
			n.tickAt = 0
			n.stepCore(core.Tick{})
		}
	})
}

func (n *Node) doOutput(o core.Output) {
	w := n.world
	if w.OnOutput != nil {
		w.OnOutput(n, o)
	}
	switch o := o.(type) {
	case core.Send:
		if s := n.streams[o.Link]; s != nil {
			s.sendFrame(n, o.Frame)
		}
	case core.Dial:
		n.startDial(o)
	case core.Close:
		if s := n.streams[o.Link]; s != nil {
			s.closeEnd(n, o.Graceful)
		}
	case core.Renewed:
		n.generation = o.Generation
		w.trace("%s takes generation +%d", n.ID, o.Generation-uint64(w.base.UnixMilli()))
	case core.Removed:
		w.trace("%s stops: it was removed", n.ID)
		n.Gone = "removed"
		n.LoseDisk() // it is put aside
		n.endProcess()
	case core.RememberShared, core.ForgetShared, core.Remember, core.Forget, core.Contact:
		n.persistOutput(o)
	case core.Conflict:
		w.trace("%s stops: another process has its name", n.ID)
		n.Gone = "conflict"
		n.endProcess()
	case core.Rejected:
		w.Count.Rejected[o.Reason]++
		if !w.Hostile && strings.Contains(o.Reason, "format") {
			panic(fmt.Sprintf("%s rejected: %s", n.ID, o.Reason))
		}
	}
}

// endProcess ends the process after its last words.
func (n *Node) endProcess() {
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
	for _, s := range n.sortedStreams() {
		s.closeEnd(n, false)
	}
}

// Vanish kills the host: nothing is heard of it any more.
func (n *Node) Vanish() {
	n.world.trace("%s falls silent", n.ID)
	n.state = silent
	for _, s := range n.sortedStreams() {
		s.closed[s.endOf(n)] = true
	}
	clear(n.streams)
}

// Leave announces that the node leaves and ends the process.
func (n *Node) Leave() {
	n.world.trace("%s leaves", n.ID)
	n.stepCore(core.Leave{})
	n.Gone = "left"
	n.endProcess()
}

// Restart starts the process again: with its disk it knows the members and the shared map of its last life, without it only seeds.
func (n *Node) Restart(disk bool, seeds ...string) {
	if !disk {
		n.LoseDisk()
	}
	n.Start(seeds...)
}

// Stall freezes the process for d.
func (n *Node) Stall(d time.Duration) {
	n.world.trace("%s stalls for %v", n.ID, d)
	n.stalled = n.world.Now + d
}
