package quorum

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/internal/keylock"
	"github.com/goconvoke/convoke/internal/span"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// ErrStopped is returned by the methods of a quorum that has stopped.
var ErrStopped = errors.New("quorum: this member's part has stopped")

// formationName is what gossip's formation calls the founding of a quorum.
const formationName = "quorum"

// Quorum is the part of this process in the quorum of its cluster. Its methods are safe for concurrent use.
type Quorum struct {
	config  Config
	log     hclog.Logger
	clock   *clock
	streams *streams
	publish *publisher

	ctx     context.Context
	cancel  context.CancelCauseFunc
	ended   chan struct{}
	helpers sync.WaitGroup
	ids     atomic.Uint64 // of requests
	count   counters
	tracer  span.Tracer

	life  atomic.Pointer[life]       // the one that runs, nil between two
	lease atomic.Pointer[core.Lease] // nil: none
	now   published                  // the newest table

	updating keylock.Locks // keys for which a Map.Update of this process runs
	declared sync.Map      // core.GroupSettings by name, of the groups that Shards has returned

	mu        sync.Mutex
	receivers map[string]receiver
	serves    map[string]core.Serve  // what was asked of each group, for the next life
	running   map[workKey]core.Token // functions that have not returned
	returned  chan struct{}          // closed and replaced when one has returned
	report    report
}

// workKey names a shard of a group.
type workKey struct {
	group string
	shard int
}

// Start takes part in the quorum of the cluster that the node belongs to. It returns at once: whether there is a leader, and what is missing
// before there is one, is in Status. A directory of another cluster is ErrBirth; one in use by another process is an error too, and so is
// a second quorum on one node.
//
// A panic in the consensus library, a disk that fails, or a founding that this member has to give up end what it holds at once; the node and the
// application go on.
func Start(c Config) (*Quorum, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Quorum{config: c, log: c.Log, clock: newClock(), tracer: span.TracerOf(c.TracerProvider, "github.com/goconvoke/convoke/quorum"), ended: make(chan struct{}), receivers: map[string]receiver{},
		serves: map[string]core.Serve{}, running: map[workKey]core.Token{}, returned: make(chan struct{})}
	q.now.set(nil)
	q.ctx, q.cancel = context.WithCancelCause(context.Background())
	first, err := q.newLife()
	if err != nil {
		return nil, fmt.Errorf("quorum: %w", err)
	}
	if q.streams, err = listenStreams(c.Node, c.Log); err != nil {
		return nil, fmt.Errorf("quorum: %w", errors.Join(err, first.storage.release()))
	}
	q.publish = newPublisher(c.Node, c.Log)
	go q.run(first)
	return q, nil
}

// run lives one life after the other, until the quorum is stopped.
func (q *Quorum) run(l *life) {
	defer close(q.ended)
	defer q.finish()
	q.helpers.Go(func() { q.publish.run(q.ctx) })
	q.helpers.Go(q.endWithNode)
	q.streams.received, q.streams.down = q.receivedFrame, q.streamDown
	q.streams.start()
	for failures := 0; ; {
		err := l.run()
		q.endLife(l)
		if errors.Is(err, errBroken) || errors.Is(err, ErrBirth) {
			q.cancel(err)
		}
		if err == nil || q.ctx.Err() != nil {
			return
		}
		if time.Since(l.began) > restartMost {
			failures = 0
		}
		failures++
		if l = q.nextLife(l, err, failures); l == nil {
			return
		}
	}
}

// Restarts of this member's part after its disk failed.
const (
	restartLeast = time.Second
	restartMost  = time.Minute
)

// nextLife begins again after a life that ended with an error, as soon as no function runs any more and the disk works. Nil if the quorum was stopped.
func (q *Quorum) nextLife(old *life, err error, failures int) *life {
	next := old.successor
	for {
		if !errors.Is(err, errOtherBirth) {
			q.log.Error("this member's part in the quorum is restarted", "err", err)
		}
		q.report.setProblem(err)
		if !q.awaitReturns() || backoff.Sleep(q.ctx, backoff.Jitter(nil, backoff.Doubling(restartLeast, restartMost, failures), 0.2)) != nil {
			return nil
		}
		l, openErr := q.newLife()
		if openErr == nil && next != nil {
			openErr = l.begin(*next)
		}
		if openErr == nil {
			q.report.setProblem(nil)
			return l
		}
		err = openErr
		failures++
	}
}

// awaitReturns waits until no function of an earlier life runs: two of one shard must not run at once. False if the quorum was stopped.
func (q *Quorum) awaitReturns() bool {
	for {
		q.mu.Lock()
		n, returned := len(q.running), q.returned
		q.mu.Unlock()
		if n == 0 {
			return true
		}
		select {
		case <-returned:
		case <-q.ctx.Done():
			return false
		}
	}
}

// endLife ends what rests on a life.
func (q *Quorum) endLife(l *life) {
	q.life.Store(nil)
	q.lease.Store(nil)
	q.streams.closeAll()
	q.publish.set(keyLeads, "")
	q.mu.Lock()
	defer q.mu.Unlock()
	for k, token := range q.running {
		if r := q.receivers[k.group]; r != nil {
			r.stop(k.shard, token, true)
		}
	}
	l.failRequests()
}

func (q *Quorum) finish() {
	q.cancel(ErrStopped)
	q.helpers.Wait()
	q.publish.withdraw()
	q.streams.close()
}

// endWithNode stops the quorum when its node has ended.
func (q *Quorum) endWithNode() {
	select {
	case <-q.config.Node.Done():
		q.cancel(fmt.Errorf("%w: the node has ended: %w", ErrStopped, cmp.Or(q.config.Node.Err(), gossip.ErrStopped)))
	case <-q.ctx.Done():
	}
}

// Stop ends this member's part at once, without giving up what it holds: others can hold that when the lease is over. The contexts of functions that
// run end; whoever called Lead or Work waits for them. See Leave.
func (q *Quorum) Stop() {
	q.cancel(ErrStopped)
	<-q.ended
}

// Done is closed when this member's part has ended, by itself too. Then Err returns why.
func (q *Quorum) Done() <-chan struct{} { return q.ended }

// Err returns why this member's part has ended, nil while it runs.
func (q *Quorum) Err() error {
	select {
	case <-q.ended:
		return context.Cause(q.ctx)
	default:
		return nil
	}
}

// done implements engine. Rights end with the request to stop.
func (q *Quorum) done() <-chan struct{} { return q.ctx.Done() }
