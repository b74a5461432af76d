// Package simulation simulates clusters of the membership protocol: the very state machine of package core, on a virtual clock,
// over streams with latency, loss and cuts, on hosts that stall, crash and fall silent. One seed decides everything, so a run
// repeats bit for bit. A World is not safe for concurrent use.
package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Settings are the circumstances of a World.
type Settings struct {
	Nodes      int
	Seed       uint64
	Core       core.Config   // of every node; ID, Addr and Generation are filled in
	LatencyMin time.Duration // one way
	LatencyMax time.Duration
	Accept     time.Duration // a listener serves one handshake after the other, each takes this long
	Trace      func(line string)

	// Bandwidth of each direction of a stream, in bytes per second; 0: unlimited.
	Bandwidth int
	// QueueBytes is how much a direction of a stream holds that is not written yet. Beats overtake it; further data is dropped
	// and counted.
	QueueBytes int
	// QueueFrames, if not 0, has a stream closed instead that holds so many frames which are not written yet; nothing overtakes.
	QueueFrames int
	// Work, if not nil, is how long a frame keeps the processor busy which all nodes share, as those of one process do: frames wait
	// for it in the order in which they arrive.
	Work func(core.Frame) time.Duration
	// Hostile worlds hold forged frames: a frame that a core rejects for its format is counted, and does not end the run.
	Hostile bool
}

// DefaultSettings describe a local network, with handshakes of mutual TLS.
func DefaultSettings(nodes int, seed uint64) Settings {
	return Settings{Nodes: nodes, Seed: seed, Core: core.DefaultConfig(), LatencyMin: 500 * time.Microsecond,
		LatencyMax: 1500 * time.Microsecond, Accept: time.Millisecond, QueueBytes: 4 << 20}
}

// Counters are what nodes sent, in messages and bytes of payload.
type Counters struct {
	Messages, Bytes, Dials int
	ByKind                 map[string]int // bytes
	Steps                  int            // inputs that cores took
	Dropped                int            // data frames that found no room in a queue
	Overflows              int            // streams closed for a full queue
	Rejected               map[string]int // by reason
}

// World is a simulated cluster.
type World struct {
	Settings
	Now   time.Duration
	Nodes []*Node
	Loss  float64 // chance that a packet is lost and sent again after 200 ms, doubling
	Count Counters

	base  time.Time
	rng   *rand.Rand
	queue eventQueue
	seq   uint64
	links uint64
	free  time.Duration // when the processor is, see Settings.Work
	side  []int         // of a partition, by node
	cut   []bool        // from*n+to: that direction is cut

	byID     map[string]*Node
	replaced int             // names given by Node.Replace
	retired  []time.Duration // when each of the earlier names ended
	refused  map[string]bool // addresses without a node: those that refuse dials; the others swallow them

	// OnStep, if set, is called after each step of a node.
	OnStep func(n *Node)
	// OnInput, if set, is called after a core took an input, with how many outputs it gave.
	OnInput func(n *Node, in core.Input, out []core.Output)
	// OnOutput, if set, sees what a node does.
	OnOutput func(n *Node, o core.Output)
}

// New returns a world in which no node runs yet.
func New(s Settings) *World {
	w := &World{Settings: s, rng: rand.New(rand.NewPCG(s.Seed, 1)), base: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.Count.ByKind, w.Count.Rejected = map[string]int{}, map[string]int{}
	w.byID, w.refused = map[string]*Node{}, map[string]bool{}
	w.side = make([]int, s.Nodes)
	w.cut = make([]bool, s.Nodes*s.Nodes)
	for i := range s.Nodes {
		name := fmt.Sprintf("n%d", i)
		w.Nodes = append(w.Nodes, &Node{world: w, Index: i, ID: name, Addr: fmt.Sprintf("10.0.%d.%d:7946", i/250, i%250),
			hash: core.HashID(name), streams: map[core.LinkID]*stream{}, disk: newDisk(), accept: s.Accept})
		w.byID[name] = w.Nodes[i]
	}
	return w
}

type event struct {
	at   time.Duration
	seq  uint64
	node *Node // whose process does it and may be stalled; nil: nature
	do   func()
}

// eventQueue is a heap of those that come first. It does what container/heap does, without an allocation for each event.
type eventQueue []event

func (q eventQueue) less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}

func (q *eventQueue) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// pop removes the event that comes first.
func (q *eventQueue) pop() event {
	h := *q
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], event{}
	h = h[:last]
	for i := 0; ; {
		next := 2*i + 1
		if next >= last {
			break
		}
		if next+1 < last && h.less(next+1, next) {
			next++
		}
		if !h.less(next, i) {
			break
		}
		h[i], h[next] = h[next], h[i]
		i = next
	}
	*q = h
	return first
}

// After does something once d has passed; as part of a node's process, if one is given.
func (w *World) After(d time.Duration, n *Node, do func()) {
	w.seq++
	w.queue.push(event{w.Now + d, w.seq, n, do})
}

// Run lets d pass, or less if stop returns true after an event; it reports whether stop did.
func (w *World) Run(d time.Duration, stop func() bool) bool {
	end := w.Now + d
	for len(w.queue) > 0 && w.queue[0].at <= end {
		e := w.queue.pop()
		w.Now = e.at
		if e.node != nil && e.node.stalled > w.Now {
			e.at = e.node.stalled
			w.queue.push(e)
			continue
		}
		e.do()
		if stop != nil && stop() {
			return true
		}
	}
	w.Now = end
	return false
}

func (w *World) latency() time.Duration {
	return w.LatencyMin + time.Duration(w.rng.Int64N(int64(w.LatencyMax-w.LatencyMin)+1))
}

// retransmitDelay is the delay that lost packets cause.
func (w *World) retransmitDelay() time.Duration {
	var d time.Duration
	for wait := 200 * time.Millisecond; w.drawLoss(); wait *= 2 {
		d += wait
	}
	return d
}

// drawLoss draws whether a packet is lost.
func (w *World) drawLoss() bool { return w.Loss > 0 && w.rng.Float64() < w.Loss }

func (w *World) isBlocked(from, to *Node) bool {
	return w.side[from.Index] != w.side[to.Index] || w.cut[from.Index*len(w.Nodes)+to.Index]
}

func (w *World) trace(format string, args ...any) {
	if w.Trace != nil {
		w.Trace(fmt.Sprintf("%8.3f ", w.Now.Seconds()) + fmt.Sprintf(format, args...))
	}
}
