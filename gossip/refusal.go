package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

var (
	// ErrForeign says that a node belongs to another cluster, or speaks no protocol that we do.
	ErrForeign = errors.New("gossip: refused")
	// ErrSelf says that an address is this node's own.
	ErrSelf = errors.New("gossip: the address is this node's own")
)

// reason is why a stream was turned down.
type reason uint8

const (
	none reason = iota // the stream ended, and nobody is to blame
	foreignCluster
	untrusted
	badHandshake
	badProtocol
	self
	tooMany
	byPeer
	silence
	reasons // how many there are
)

// refusal is an error of a handshake with its reason.
type refusal struct {
	reason reason
	err    error
	said   string // what the other side is told
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// refuse makes a refusal that is an ErrForeign too.
func refuse(r reason, format string, args ...any) *refusal {
	said := fmt.Sprintf(format, args...)
	return &refusal{r, fmt.Errorf("%w: %s", ErrForeign, said), said}
}

// objection returns why we do not want to talk to somebody, nil if we do.
func (n *Node) objection(s *stream, h *core.Hello) *refusal {
	switch {
	case h.Cluster != n.config.ClusterID:
		return refuse(foreignCluster, "cluster %q meets cluster %q", n.config.ClusterID, h.Cluster)
	case h.Protocol == 0:
		return refuse(badProtocol, "protocol version 0")
	case h.ID == "" || h.Generation == 0:
		return refuse(badProtocol, "a node without a name or generation")
	case !printable(h.ID):
		return refuse(badProtocol, "the name %q is not printable text", h.ID)
	case h.Generation > core.MaxGeneration:
		return refuse(badProtocol, "generation %d of %q is beyond all clocks", h.Generation, h.ID)
	case !s.Proves(h.ID):
		return refuse(untrusted, "the certificate is not that of %q", h.ID)
	}
	return nil
}

// isSelf reports whether a hello is our own.
func (n *Node) isSelf(h *core.Hello) bool {
	return h.ID == n.config.Name && h.Generation == n.generation.Load()
}

// reasonOf returns why a handshake ended. Whoever breaks off in the middle of a frame, keeps silent until the deadline or sends
// what is no frame does not speak our protocol; whoever hangs up between two frames wanted nothing.
func reasonOf(err error) reason {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r.reason
	case errors.Is(err, transport.ErrUntrusted):
		return untrusted
	case errors.Is(err, context.Canceled), hungUp(err):
		return none
	}
	return badHandshake
}

// hungUp reports whether the other side ended a stream and not in the middle of something: it may have stopped.
func hungUp(err error) bool {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// timedOut reports whether an error is that of a deadline.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}
