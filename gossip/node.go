// Package gossip is a membership core: nodes that hold streams to a few neighbours each, and derive from the members that are
// reachable over these streams which members are up. What it knows is a [View]; what a node publishes of itself are keys and values of its own.
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

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/testhook"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/internal/hostaddr"
	"github.com/goconvoke/convoke/internal/span"
)

var (
	// ErrStopped is returned by the methods of a node that has stopped.
	ErrStopped = errors.New("gossip: the node has stopped")
)

const (
	// silenceFactor times Config.Silence of the core is how long a stream may bring nothing at all. The core gives up at 3 of them
	// at the latest, counting only the time that this process ran.
	silenceFactor = 12
	// viewGap is the least time between two views, so that a storm of changes costs few of them.
	viewGap = 10 * time.Millisecond
	// viewShare times what the last view took is the least time until the next one, up to maxViewGap: views take a small part of a loop
	// that is busy with changes.
	viewShare  = 50
	maxViewGap = time.Second
	// lastFramesTimeout is how long a node that ends by itself waits until its neighbours have taken its last frames.
	lastFramesTimeout = time.Second
	// diskTimeout is how long a node that ends waits for its disk, logTimeout for its log writer.
	diskTimeout = 5 * time.Second
	logTimeout  = time.Second
)

// Node takes part in a cluster from [Start] to Stop. Its methods are safe for concurrent use.
type Node struct {
	config    Config
	tuning    core.Config // as it was at the start
	log       *asyncLog
	transport transport.Transport
	listener  net.Listener

	life    context.Context // ends with the loop
	cancel  context.CancelFunc
	ended   context.Context // when it ends, all streams are closed
	end     context.CancelFunc
	tasks   sync.WaitGroup
	writers sync.WaitGroup // of links; started by the loop only
	inputs  chan event     // to the loop; unbuffered, so that readers are slowed down by a busy core
	stopped chan struct{}  // closed when the loop has ended
	left    atomic.Bool    // by Leave, which decides how long the last frames may take
	done    chan struct{}  // closed when everything has ended
	err     error          // why the loop ended; read after stopped

	generation    atomic.Uint64
	aged          atomic.Bool // and since: what the next handshakes show of the core
	since         atomic.Int64
	addr          atomic.Pointer[string] // that others dial
	view          atomic.Pointer[View]
	id            core.NodeID
	begun         time.Time // when it was made, by the clock of the core
	shared        *Shared
	persist       *persist
	watch         watchers
	handshakes    *handshakeLimit // inbound ones
	streams       streamLimiter   // inbound streams in use
	protocols     protocols       // of the application
	memberStreams streamLimiter   // inbound ones, of the application
	hosts         memberHosts
	count         counters
	tracer        span.Tracer
	warnings      *rateLimitedLog
	security      security
	inStep        atomic.Int64  // when the neighbours last had the same state, in ns since 1970; 0: there are none
	readTimeout   time.Duration // reading nothing for so long ends a stream, should the core not have done so long before
	lastLink      atomic.Uint64

	// Owned by the loop.
	core    *core.Core
	viewer  viewer
	links   map[core.LinkID]*link
	joins   map[string]*joinCall // by address: those whose stream is being opened
	viewAt  time.Time            // when a new view is due; zero: none is
	viewed  time.Time            // when the last view was made
	viewGap time.Duration        // least time until the next one
}

// Start listens and takes part. The node knows no other one before Join, but those that DataDir keeps.
//
// A disk that is full or failing does not keep the node from starting: that is logged as an error, nothing is read from the disk, and
// writing is tried again until it succeeds; see [ErrNotDurable]. A directory of another cluster or in use by another process is an
// error.
func Start(c Config) (*Node, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.setDefaults()
	if s, ok := c.Transport.(transport.Secured); ok {
		if err := s.RequireName(c.Name); err != nil {
			return nil, fmt.Errorf("gossip: %w", err)
		}
	}
	listener, err := c.Transport.Listen(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	n, past, err := newNode(c, listener)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	over := n.restoreState(past)
	n.publishView()
	n.startSecurity()
	n.tasks.Go(n.acceptStreams)
	n.tasks.Go(func() { n.runLoop(over) })
	if c.followsHost(listener.Addr()) {
		n.tasks.Go(func() { n.followHost(hostaddr.Follow) })
	}
	n.persist.start(n.stopped, n.persistFailed, func() bool { return errors.Is(n.err, ErrRemoved) })
	go n.finishEnd() // Stop waits for it
	return n, nil
}

// setDefaults fills in what was left out.
func (c *Config) setDefaults() {
	if c.MaxStreams == 0 {
		c.MaxStreams = defaultMaxStreams
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Transport == nil {
		c.Transport = transport.TCP{}
	}
}

// newNode makes a node and opens its directory. Nothing runs yet.
func newNode(c Config, listener net.Listener) (*Node, remembered, error) {
	now := c.now()
	tuning, err := c.coreConfig(listener.Addr(), now)
	if err != nil {
		return nil, remembered{}, err
	}
	log := newAsyncLog(c.Log)
	persist, past, err := openPersist(&c, log)
	if err != nil {
		return nil, past, err
	}
	tuning.Generation = max(tuning.Generation, past.generation+1)
	if c.YieldTo != 0 {
		tuning.Generation, tuning.Yields = yieldGeneration(c.YieldTo), true
	}
	if err := persist.beginLife(max(tuning.Generation, past.generation), past.migrate); err != nil {
		return nil, past, errors.Join(err, persist.close(false))
	}
	life, cancel := context.WithCancel(context.Background())
	ended, end := context.WithCancel(context.Background())
	n := &Node{
		config: c, tuning: tuning, log: log, transport: c.Transport, listener: listener,
		life: life, cancel: cancel, ended: ended, end: end,
		inputs: make(chan event), stopped: make(chan struct{}), done: make(chan struct{}),
		id: core.HashID(c.Name), begun: now, persist: persist, tracer: span.TracerOf(c.TracerProvider, "github.com/goconvoke/convoke/gossip"),
		handshakes: newHandshakeLimit(maxHandshakes, keptHandshakes), streams: streamLimiter{limit: maxStreams},
		memberStreams: streamLimiter{limit: c.MaxStreams},
		warnings:      newRateLimitedLog(log, time.Now),
		readTimeout:   silenceFactor * tuning.Silence,
		core:          core.New(tuning, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), now),
		links:         make(map[core.LinkID]*link), joins: make(map[string]*joinCall),
		err: ErrStopped,
	}
	n.addr.Store(&tuning.Addr)
	n.generation.Store(tuning.Generation) // before anything can dial
	n.viewer.source, n.viewer.noted = n.core, n.countChange
	n.watch.init()
	n.security.init()
	n.shared = newShared(n)
	return n, past, nil
}

func init() {
	testhook.Freeze = func(node any, d time.Duration) error {
		n := node.(*Node)
		return n.sendEvent(context.Background(), event{query: func() { time.Sleep(d) }, reply: make(chan error, 1)})
	}
}

// restoreState passes to the core what is known of an earlier life, before anything else. It reports whether the node is to end: it was
// removed and died before it could put its state aside.
func (n *Node) restoreState(past remembered) (end bool) {
	n.storeAge()
	if len(past.state.Members)+len(past.state.Shared) > 0 || past.state.Contact != 0 {
		end = n.stepCore(past.state)
	}
	for _, set := range past.own {
		if _, given := n.config.Keys[set.Key]; !given {
			n.stepCore(set)
		}
	}
	return end
}

func (n *Node) persistFailed(err error) {
	n.warnings.warn("cannot write the state to the disk, trying again", "", "dir", n.config.DataDir, "error", err)
}

// coreTime is the time as the core sees it.
func (n *Node) coreTime() time.Time { return n.config.now() }

// Name returns the name of this node.
func (n *Node) Name() string { return n.config.Name }

// ClusterID returns the ID of the cluster that this node belongs to.
func (n *Node) ClusterID() string { return n.config.ClusterID }

// Addr returns the host:port that other nodes dial. It changes when the host gets another address, unless Config gives one.
func (n *Node) Addr() string { return *n.addr.Load() }

// Bound returns the host:port listened on.
func (n *Node) Bound() string { return n.listener.Addr().String() }

// View returns what this node knows now. It costs nothing.
func (n *Node) View() *View { return n.view.Load() }

// Leave announces to all members that this node leaves, and stops. When ctx is done before the announcement was taken, or before the
// node has ended, Leave returns the cause; the node ends all the same, as after Stop.
func (n *Node) Leave(ctx context.Context) error {
	n.left.Store(true)
	err := n.sendInput(ctx, core.Leave{})
	if err == nil {
		select {
		case <-n.done:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	n.stop()
	if err != nil && !errors.Is(err, ErrStopped) {
		return err
	}
	select {
	case <-n.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stop ends the node without an announcement and waits for everything it started. A disk that hangs holds it up for 5 s, a log writer
// that blocks for 1 s; a goroutine of this node is left behind then, which ends when they do. Stop may be called more than once.
func (n *Node) Stop() {
	n.stop()
	<-n.done
}

// stop begins the end.
func (n *Node) stop() {
	n.cancel()
	n.end()
	_ = n.listener.Close() // it may be closed already
}

// finishEnd waits for the end of the loop, ends everything else, and then closes done: a node that ended by itself holds neither its
// port nor its directory.
func (n *Node) finishEnd() {
	defer close(n.done)
	<-n.stopped
	n.closeProtocols()
	_ = n.listener.Close() // it may be closed already
	n.awaitLastFrames()
	n.tasks.Wait()
	n.persist.awaitEnd(diskTimeout, func(err error) {
		n.log.Error("cannot close the state on the disk", "dir", n.config.DataDir, "error", err)
	})
	n.log.flush(logTimeout)
}

// awaitLastFrames waits until the links have written what is queued, or Stop, or some time, and closes them.
func (n *Node) awaitLastFrames() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		n.writers.Wait() // none starts after the loop
	}()
	var late <-chan time.Time
	if !n.left.Load() {
		timer := time.NewTimer(lastFramesTimeout)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-written:
	case <-n.ended.Done():
	case <-late:
	}
	n.end()
	<-written
}

// Done is closed when the node has ended, by itself too, and everything that it started: its port can be used again. Then Err returns
// why.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err returns why the node has ended, nil while it runs.
func (n *Node) Err() error {
	select {
	case <-n.done:
		return n.err
	default:
		return nil
	}
}
