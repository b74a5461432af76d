// Package connector holds the contract between the reconciler and whatever carries the
// connections: a membership core, a mesh of its own, or three plain callbacks.
package connector

import (
	"context"
	"errors"

	"github.com/goconvoke/convoke/peer"
)

// Connector makes, drops and lists connections to peers. One reconciler drives it; its
// rules:
//
//   - Connect and Disconnect are idempotent: nil when the peer is, or is not, connected already.
//   - Calls for different peers run at once (8 dials at most). One peer has one call at a time.
//   - Every call returns soon after its ctx is done. One that does not is left running and named
//     in the log; no other call waits for it.
//   - A panic is an error of that one call.
//   - List returns the peers that are connected now, by either side, without this node itself. An
//     error means "unknown": nothing is dialled or dropped in that round. It never means "no peer".
//   - A peer to which Connect returned nil is in the list soon after, under the Addr that Connect got
//     or with the ID that Connect got, if that is not empty: only so is it known to be connected. A peer
//     that is listed in another form (a resolved name, the port of the remote end of a
//     TCP connection) is dialled again and again, and reported once. A [Gossiper] may be led into its
//     cluster by addresses that are not those of a member; it lists members by their own.
//   - A peer that Disconnect returned nil for is not in the list soon after. Of a [Gossiper] this is not
//     required: its members decide who is one.
//   - Addresses that List returns are in the form of [peer.Addr].
type Connector interface {
	Connect(ctx context.Context, p peer.Peer) error
	Disconnect(ctx context.Context, p peer.Peer) error
	List(ctx context.Context) ([]peer.Peer, error)
}

// Connect may return these, wrapped or plain; any other error is retried with a backoff.
var (
	// ErrSelf means that the address is this node's own. It is never dialled again.
	ErrSelf = errors.New("the address is this node's own")
	// ErrForeign means that the node there belongs to another cluster. It is dialled at the
	// longest backoff and reported once.
	ErrForeign = errors.New("the node belongs to another cluster")
	// ErrUntrusted means that this node and the other one do not trust each other: their keys or certificates differ. It is
	// treated as ErrForeign is.
	ErrUntrusted = errors.New("the keys or certificates of the node are not those of this one")
)

// A Connector may have any of the following methods too.
type (
	// Runner is a connector with a life of its own (a listener, goroutines). The supervisor calls
	// Run when it starts and cancels ctx after everything else has stopped. Run blocks until
	// then; an earlier return is a crash and is restarted after a backoff.
	Runner interface {
		Run(ctx context.Context) error
	}

	// Notifier wakes the reconciler at once when the list may have changed. The channel has a
	// buffer of one, is sent to without blocking and is never closed. The reconciler is its one
	// reader.
	Notifier interface{ Changes() <-chan struct{} }

	// Leaver announces that this node leaves. The supervisor calls Leave on the way out, after the strategies
	// have stopped and before Run is cancelled.
	Leaver interface {
		Leave(ctx context.Context) error
	}

	// Gossiper reports whether the connector spreads its members by itself. If so, a few
	// contacts suffice, liveness is its own affair, and peers are by default never pruned.
	Gossiper interface{ Gossips() bool }

	// LeftLister returns the peers that announced that they leave and have not come back, of those that List does not return any
	// more: log, events and status distinguish them from peers that crashed or cannot be reached. It may forget them in time, and returns
	// at once.
	LeftLister interface{ ListLeft() []peer.Peer }

	// RemovedLister returns the IDs of the peers that an operator removed from the cluster for good: no topology misses them. It may forget them in
	// time, and returns at once.
	RemovedLister interface{ ListRemoved() []string }

	// Configured returns the node that the connector was made for. What of the optional settings a file has must be
	// honoured by a connector that returns the same node here: cluster.New refuses anything else.
	Configured interface{ NodeConfig() NodeConfig }

	// Reloader takes over what it can of another description of its node, and looks again at what that refers to. The supervisor calls
	// Reload, one call at a time, for each configuration that is to be put into force, also an equal one; the node is one that Kind.Check
	// accepts. Reload returns the settings whose values in n are in use now; others that differ take effect at the next start. After an error
	// nothing has changed, and the configuration is refused.
	Reloader interface {
		Reload(n NodeConfig) ([]Setting, error)
	}
	// NoticeSource reports what happens to this node itself. The channel has a buffer, is sent to without blocking and is never closed. The
	// supervisor is its one reader, while it runs.
	NoticeSource interface{ Notices() <-chan Notice }
	// SelfReporter returns the names and addresses under which this node can be reached, the preferred one
	// first; empty while that is unknown. An unspecified host ("0.0.0.0:7946", "[::]:7946")
	// means that the port is known and the host is the one that the receiver sees.
	SelfReporter interface{ Self() []peer.Peer }
)

// The types of the three callbacks; a configuration file may name them one by one.
type (
	ConnectFunc    func(ctx context.Context, p peer.Peer) error
	DisconnectFunc func(ctx context.Context, p peer.Peer) error
	ListFunc       func(ctx context.Context) ([]peer.Peer, error)
)

// Funcs makes a connector of three plain callbacks. ConnectFunc and ListFunc are required;
// without a DisconnectFunc no peer is ever dropped.
type Funcs struct {
	ConnectFunc    ConnectFunc
	DisconnectFunc DisconnectFunc
	ListFunc       ListFunc
}

var errNoCallback = errors.New("connector.Funcs: no such callback")

// Validate reports a callback that is required and missing.
func (f Funcs) Validate() error {
	if f.ConnectFunc == nil || f.ListFunc == nil {
		return errors.New("connector.Funcs needs ConnectFunc and ListFunc")
	}
	return nil
}

// Connect calls ConnectFunc.
func (f Funcs) Connect(ctx context.Context, p peer.Peer) error {
	if f.ConnectFunc == nil {
		return errNoCallback
	}
	return f.ConnectFunc(ctx, p)
}

// Disconnect calls DisconnectFunc, if there is one.
func (f Funcs) Disconnect(ctx context.Context, p peer.Peer) error {
	if f.DisconnectFunc == nil {
		return nil
	}
	return f.DisconnectFunc(ctx, p)
}

// List calls ListFunc.
func (f Funcs) List(ctx context.Context) ([]peer.Peer, error) {
	if f.ListFunc == nil {
		return nil, errNoCallback
	}
	return f.ListFunc(ctx)
}
