// Package sim simulates hosts, their clocks and the network between them in virtual time, for the simulations of deterministic
// cores. What the hosts run is given as functions.
//
// A [World] has a queue of events and one random source, so that one seed decides everything. Hosts freeze, crash and restart;
// their clocks have rates, steps and suspends of their own. Streams between two hosts are ordered and break as TCP's do.
package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// World is a number of hosts in virtual time. It is not safe for concurrent use.
type World struct {
	Now   time.Duration // since the beginning
	Rand  *rand.Rand
	Hosts []*Host
	Net   Network
	Trace func(line string) // nil: none

	queue eventQueue
	seq   uint64
	steps int
}

// New returns a world of hosts that do not run yet.
func New(hosts int, seed uint64) *World {
	w := &World{Rand: rand.New(rand.NewPCG(seed, 1))}
	w.Net = newNetwork(w)
	for range hosts {
		w.AddHost()
	}
	return w
}

// AddHost adds a host.
func (w *World) AddHost() *Host {
	h := &Host{Index: len(w.Hosts), world: w, Clock: NewClock(w)}
	w.Hosts = append(w.Hosts, h)
	return h
}

// Steps returns how many events have happened.
func (w *World) Steps() int { return w.steps }

// Logf writes to the trace.
func (w *World) Logf(format string, args ...any) {
	if w.Trace != nil {
		w.Trace(fmt.Sprintf("%9.4f ", w.Now.Seconds()) + fmt.Sprintf(format, args...))
	}
}

// After does something once d has passed: as part of a host's process, which may be frozen then or have ended, or for nil as part of nature.
func (w *World) After(d time.Duration, h *Host, do func()) {
	w.seq++
	e := event{at: w.Now + d, seq: w.seq, host: h, do: do}
	if h != nil {
		e.life = h.life
	}
	heap.Push(&w.queue, e)
}

// Run lets d pass, or less if stop reports so after some event; it returns whether it did.
func (w *World) Run(d time.Duration, stop func() bool) bool {
	end := w.Now + d
	for len(w.queue) > 0 && w.queue[0].at <= end {
		e := heap.Pop(&w.queue).(event)
		w.Now = e.at
		if e.host != nil {
			if !e.host.running || e.host.life != e.life {
				continue
			}
			if e.host.frozen > w.Now {
				e.at = e.host.frozen
				heap.Push(&w.queue, e)
				continue
			}
		}
		w.steps++
		e.do()
		if stop != nil && stop() {
			return true
		}
	}
	w.Now = end
	return false
}

type event struct {
	at   time.Duration
	seq  uint64
	host *Host
	life int
	do   func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return e
}
