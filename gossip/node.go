// Package gossip is a membership core: nodes that hold streams to a few neighbours each, and tell from who is reachable
// over them who is up. What it knows is a [View]; what a node publishes of itself are keys and values of its own.
//
// The protocol is in package core, a state machine without side effects; this package is the shell around it, which owns the
// sockets, the clock and the goroutines.
package gossip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

// What a node sees of its cluster; see package core.
type (
	View   = core.View
	Member = core.Member
	Status = core.Status
)

// The statuses of a member.
const (
	Up       = core.Up
	Degraded = core.Degraded
	Down     = core.Down
	Left     = core.Left
)

var (
	// ErrStopped is returned by the methods of a node that has stopped.
	ErrStopped = errors.New("gossip: the node has stopped")
	// ErrConflict says that another process has this node's name and started later; this one has stopped.
	ErrConflict = errors.New("gossip: a newer process has this node's name")
)

// quietFactor times Config.Silence of the core is how long a stream may bring nothing at all. The core gives up at 3 of them at
// the latest, counting only the time that this process ran.
const quietFactor = 12

// viewGap is the least time between two views, so that a storm of changes costs few of them.
const viewGap = 10 * time.Millisecond

// Node takes part in a cluster from [Start] to Stop. Its methods are safe for concurrent use.
type Node struct {
	config    Config
	tuning    core.Config
	log       hclog.Logger
	transport transport.Transport
	listener  net.Listener

	life    context.Context // ends with the loop
	cancel  context.CancelFunc
	ended   context.Context // ends with Stop: nothing is written any more
	end     context.CancelFunc
	tasks   sync.WaitGroup
	writers sync.WaitGroup // of links; a goodbye waits for them
	inputs  chan event     // to the loop; unbuffered, so that readers are slowed down by a busy core
	done    chan struct{}  // closed when the loop has ended
	err     error          // why it ended; read after done

	generation atomic.Uint64
	view       atomic.Pointer[View]
	id         core.NodeID
	shared     *Shared
	memory     *memory
	watch      watchers
	shakes     *gate // inbound handshakes
	streams    *gate // inbound streams in use
	count      counters
	trouble    troubles
	inStep     atomic.Int64  // when the neighbours last had the same state, in ns since 1970; 0: there are none
	quiet      time.Duration // reading nothing for so long ends a stream, should the core not have done so long before
	lastLink   atomic.Uint64

	// Owned by the loop.
	core   *core.Core
	links  map[core.LinkID]*link
	viewAt time.Time // when a new view is due; zero: none is
	viewed time.Time // when the last view was made
}

// Start listens and takes part. It knows nobody before Join.
func Start(c Config) (*Node, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Transport == nil {
		c.Transport = transport.TCP{}
	}
	listener, err := c.Transport.Listen(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	now := c.now()
	tuning, err := c.tuning(listener.Addr(), now)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	memory, past, err := openMemory(&c)
	if err == nil {
		tuning.Generation = max(tuning.Generation, past.generation+1)
		err = memory.begin(c.ClusterID, tuning.Generation)
	}
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	life, cancel := context.WithCancel(context.Background())
	ended, end := context.WithCancel(context.Background())
	n := &Node{
		config: c, tuning: tuning, log: c.Log, transport: c.Transport, listener: listener,
		life: life, cancel: cancel, ended: ended, end: end,
		inputs: make(chan event), done: make(chan struct{}),
		shakes: newGate(maxHandshakes, maxHostHandshakes), streams: newGate(maxStreams, maxStreams),
		trouble: troubles{log: c.Log, now: time.Now, seen: make(map[trouble]*seen)},
		quiet:   quietFactor * tuning.Silence,
		core:    core.New(tuning, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), now),
		links:   make(map[core.LinkID]*link),
		err:     ErrStopped,
	}
	n.watch.init()
	n.id, n.shared, n.memory = core.HashID(c.Name), newShared(n), memory
	over := n.recall(past)
	n.generation.Store(tuning.Generation)
	n.publish()
	n.tasks.Go(n.accept)
	n.tasks.Go(func() { n.run(over) })
	if memory.store != nil {
		n.tasks.Go(func() { n.save() })
	}
	return n, nil
}

// recall tells the core what is known of an earlier life, before anything else. It reports whether the node is to end: it was removed
// and died before it could put its state aside.
func (n *Node) recall(past remembered) (end bool) {
	n.shared.aged.Store(n.core.Aged())
	if len(past.state.Members)+len(past.state.Shared) > 0 {
		end = n.step(past.state)
	}
	for _, set := range past.own {
		n.step(set)
	}
	return end
}

// save writes to the disk what is to be kept, until the loop has ended.
func (n *Node) save() {
	n.memory.run(n.done, func(err error) {
		n.trouble.warn("cannot keep the state on the disk, trying again", "", "error", err)
	})
	if err := n.memory.end(errors.Is(n.err, ErrRemoved)); err != nil {
		n.log.Error("cannot close the state on the disk", "dir", n.config.DataDir, "error", err)
	}
}

// now is the time as the core sees it.
func (n *Node) now() time.Time { return n.config.now() }

// Addr returns the host:port that other nodes dial.
func (n *Node) Addr() string { return n.tuning.Addr }

// Bound returns the host:port listened on.
func (n *Node) Bound() string { return n.listener.Addr().String() }

// View returns what this node knows now. It costs nothing.
func (n *Node) View() *View { return n.view.Load() }

// Leave says goodbye to all members and stops. What could not be sent before ctx is done is given up.
func (n *Node) Leave(ctx context.Context) error {
	err := n.tell(ctx, core.Leave{})
	if err == nil {
		flushed := make(chan struct{})
		go func() {
			defer close(flushed)
			<-n.done // no writer starts from here on
			n.writers.Wait()
		}()
		select {
		case <-flushed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		defer func() { <-flushed }()
	}
	n.Stop()
	if errors.Is(err, ErrStopped) {
		return nil
	}
	return err
}

// Stop ends the node without a goodbye and waits for everything it started. It may be called more than once.
func (n *Node) Stop() {
	n.cancel()
	n.end()
	_ = n.listener.Close() // it may be closed already
	n.tasks.Wait()
	n.writers.Wait()
}

// Done is closed when the node has stopped, by itself too: then Err says why.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err returns why the node has stopped, nil while it runs.
func (n *Node) Err() error {
	select {
	case <-n.done:
		return n.err
	default:
		return nil
	}
}
