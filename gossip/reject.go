package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
)

var (
	// ErrForeign means that a node belongs to another cluster, or speaks no protocol that this node does.
	ErrForeign = errors.New("gossip: refused")
	// ErrSelf means that an address is this node's own.
	ErrSelf = errors.New("gossip: the address is this node's own")
)

// reason is why a handshake failed.
type reason uint8

const (
	none reason = iota // the stream ended, and nothing is wrong
	foreignCluster
	untrusted
	badHandshake
	badHello
	otherProtocol
	self
	tooMany
	byPeer
	hungUp
	reasons // how many there are
)

// rejection is an error of a handshake with its reason.
type rejection struct {
	reason reason
	err    error
	sent   string // to the other side
}

func (r *rejection) Error() string { return r.err.Error() }
func (r *rejection) Unwrap() error { return r.err }

// reject makes a rejection that is an ErrForeign too.
func reject(r reason, format string, args ...any) *rejection {
	sent := fmt.Sprintf(format, args...)
	return &rejection{r, fmt.Errorf("%w: %s", ErrForeign, sent), sent}
}

// checkHello returns why this node rejects another one, nil if it does not.
func (n *Node) checkHello(s *stream, h *core.Hello) *rejection {
	switch {
	case h.Cluster != n.config.ClusterID:
		return reject(foreignCluster, "cluster %q meets cluster %q", n.config.ClusterID, h.Cluster)
	case h.Protocol == 0:
		return reject(badHello, "protocol version 0")
	case h.Protocol < wire.Protocol:
		return reject(otherProtocol, "this node speaks protocol %d (%s), the other one %d: upgrade all nodes of the cluster; see CHANGELOG",
			wire.Protocol, buildVersion(), h.Protocol)
	case h.ID == "" || h.Generation == 0:
		return reject(badHello, "a node without a name or generation")
	case !printable(h.ID):
		return reject(badHello, "the name %q is not printable text", h.ID)
	case h.Generation > core.MaxGeneration:
		return reject(badHello, "generation %d of %q is beyond all clocks", h.Generation, h.ID)
	case !s.Proves(h.ID):
		return reject(untrusted, "the certificate is not that of %q", h.ID)
	}
	return nil
}

// buildVersion returns the module and version that this process was built with.
var buildVersion = sync.OnceValue(func() string {
	const module = "github.com/goconvoke/convoke"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "convoke"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Version != "" {
			return fmt.Sprintf("convoke %.40s", m.Version)
		}
	}
	return "convoke"
})

// isSelf reports whether a hello is our own.
func (n *Node) isSelf(h *core.Hello) bool {
	return h.ID == n.config.Name && h.Generation == n.generation.Load()
}

// reasonOf returns why an inbound handshake failed. A peer that breaks off in the middle of a frame, keeps silent until the deadline
// or sends what is not a frame does not speak our protocol; one that closes the stream between two frames wanted nothing.
func reasonOf(err error) reason {
	var r *rejection
	switch {
	case errors.As(err, &r):
		return r.reason
	case errors.Is(err, errBusy), errors.Is(err, errEvicted), errors.Is(err, errStreams):
		return tooMany
	case errors.Is(err, transport.ErrUntrusted):
		return untrusted
	case errors.Is(err, context.Canceled), isHangUp(err):
		return none
	}
	return badHandshake
}

// isHangUp reports whether the other side closed a stream between two frames: it may have stopped.
func isHangUp(err error) bool {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isTimeout reports whether an error is that of a deadline.
func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}
