package gossip

import (
	"errors"
	"time"

	"github.com/goconvoke/convoke/gossip"
)

// Phase is whether a node takes part in its cluster, and what keeps it out.
type Phase string

// The phases of a node.
const (
	PhaseStopped     Phase = "stopped"      // Run was not called, or has ended
	PhaseRunning     Phase = "running"      // it takes part
	PhaseCannotStart Phase = "cannot_start" // it cannot listen, or open its data directory; tried again at Next
	PhaseConflict    Phase = "conflict"     // another process has its name; tried again at Next
	PhaseRemoved     Phase = "removed"      // it was removed from its cluster; Env.Rejoin brings it back
)

// State is how the node of a connector is.
type State struct {
	Phase    Phase
	Err      error     // why it does not run; of PhaseConflict a [*gossip.ConflictError], which has the address of the other process
	Since    time.Time // of Phase
	Attempts int       // to come back, in this phase
	Next     time.Time // when it is tried again; zero: it is not, or is being tried
}

// State returns how the node is. It costs nothing.
func (c *Connector) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state
	if s.Phase == PhaseRunning && s.Err == nil {
		s.Err = c.running.Err() // it has ended a moment ago
	}
	return s
}

// setRunning records that a node runs.
func (c *Connector) setRunning(n *gossip.Node) {
	c.mu.Lock()
	c.running, c.last = n, n
	c.state = State{Phase: PhaseRunning, Since: time.Now()}
	c.mu.Unlock()
	c.notify()
}

// setOut records that no node runs, why, and when that is tried again.
func (c *Connector) setOut(why error, next time.Time) {
	phase := PhaseCannotStart
	switch {
	case errors.Is(why, errNotRunning):
		phase = PhaseStopped
	case errors.Is(why, gossip.ErrConflict):
		phase = PhaseConflict
	case errors.Is(why, gossip.ErrRemoved):
		phase = PhaseRemoved
	}
	c.mu.Lock()
	if c.state.Phase != phase {
		c.state = State{Phase: phase, Since: time.Now()}
	} else {
		c.state.Attempts++
	}
	c.running, c.state.Err, c.state.Next = nil, why, next
	c.mu.Unlock()
	c.notify()
}
