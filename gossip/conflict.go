package gossip

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// ErrConflict means that another process has this node's name and started later; this one has stopped. Every such error is a
// [*ConflictError].
var ErrConflict = errors.New("gossip: another process has this node's name")

// ConflictError is why a node has ended whose name another process has. Config.YieldTo brings it back when that is gone.
type ConflictError struct {
	Name       string
	Addr       string // host:port at which the other process can be dialled; "" if it is not known
	Generation uint64 // of the other process
}

// Error names the other process.
func (e *ConflictError) Error() string {
	at := ""
	if e.Addr != "" {
		at = ", at " + e.Addr
	}
	return fmt.Sprintf("%v%s (%q, generation %d)", ErrConflict, at, e.Name, e.Generation)
}

// Is reports whether target is [ErrConflict].
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// yieldSpread is below how many generations of the other process one that yields chooses its own: two attempts must not have the same.
const yieldSpread = 1 << 16

// yieldGeneration returns a generation below that of a process to yield to.
func yieldGeneration(other uint64) uint64 {
	if other <= yieldSpread+1 {
		return 1
	}
	return other - 1 - rand.Uint64N(yieldSpread)
}

// noteConflict ends the node because another process has its name.
func (n *Node) noteConflict(out core.Conflict) {
	log := n.log.Error
	if n.config.YieldTo != 0 {
		log = n.log.Debug // it was logged when the node lost its name
	}
	log("another process has this node's name; this one stops", "member", n.config.Name, "addr", out.Addr, "generation", out.Generation)
	n.err = &ConflictError{Name: n.config.Name, Addr: out.Addr, Generation: out.Generation}
}
