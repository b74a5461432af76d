package gossip

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// patience bounds how long a request without a deadline of its own waits for the disk.
const patience = 30 * time.Second

// ErrNotDurable means that a change was made and is on its way to the other members, but is not on the disk of this node: the disk is
// full, failing, or too slow. It is written there when that is possible again; until then only the others keep it over a restart.
var ErrNotDurable = errors.New("gossip: done, but not on the disk of this node")

// event is an input of the core, with what the loop needs besides.
type event struct {
	in     core.Input
	since  time.Time    // when the frame of a Received arrived
	link   *link        // that a LinkUp is about
	join   *joinCall    // whose next step this is; see takeJoin
	reply  chan error   // answers a request; holds one, so that the loop does not wait
	done   *atomic.Bool // of a request: set when the core has taken the input
	expect *core.Stamp  // of the shared key; nil: any
	query  func()       // reads from the core, in place of an input; only with a reply
}

// input returns the input as the loop takes it: how long a frame has waited for that shows how far the node is behind.
func (e *event) input() core.Input {
	if in, ok := e.in.(core.Received); ok && !e.since.IsZero() {
		in.Waited = time.Since(e.since)
		return in
	}
	return e.in
}

// sendInput passes an input to the loop. It returns when that has taken it, the node has stopped, or ctx is done.
func (n *Node) sendInput(ctx context.Context, in core.Input) error {
	return n.sendEvent(ctx, event{in: in})
}

func (n *Node) sendEvent(ctx context.Context, e event) error {
	select {
	case n.inputs <- e:
		return nil
	case <-n.life.Done():
		<-n.stopped
		return n.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// request has the loop check an input and take it, and returns why it did not. An error wraps [ErrNotDurable] if it was done and is
// not on the disk; any other error of ctx leaves open whether it was done.
func (n *Node) request(ctx context.Context, e event) error {
	e.reply, e.done = make(chan error, 1), new(atomic.Bool)
	if err := n.sendEvent(ctx, e); err != nil {
		return err
	}
	select {
	case err := <-e.reply:
		return err
	case <-ctx.Done():
		if e.done.Load() {
			return fmt.Errorf("%w: %w", ErrNotDurable, context.Cause(ctx))
		}
		return context.Cause(ctx)
	case <-n.done:
		select {
		case err := <-e.reply: // it answered before
			return err
		default:
			return n.err
		}
	}
}

// handleEvent handles one event. It reports whether the node is to end.
func (n *Node) handleEvent(e event) (end bool) {
	switch {
	case e.join != nil:
		return n.takeJoin(e)
	case e.reply == nil:
		if e.link != nil {
			n.links[e.link.number] = e.link
		}
		return n.stepCore(e.input())
	}
	if e.query != nil {
		e.query()
		e.reply <- nil
		return false
	}
	err := n.checkRequest(e)
	if err != nil {
		e.reply <- err
		return false
	}
	end = n.stepCore(e.in)
	if !n.viewAt.IsZero() {
		n.publishView() // a caller reads its own writes
	}
	n.persist.keepRequest(e.in)
	e.done.Store(true)
	n.persist.replyWhenDurable(e.reply)
	return end
}

// checkRequest returns why a request cannot be granted, nil if it can.
func (n *Node) checkRequest(e event) error {
	stale := func(key string) error {
		if _, stamp, _ := n.core.Shared(key); e.expect != nil && stamp != *e.expect {
			return errStale
		}
		return nil
	}
	switch in := e.in.(type) {
	case core.Set:
		return n.core.CheckSet(in.Key, in.Value)
	case core.SharedSet:
		if err := n.core.CheckSharedSetFor(in.Key, in.Value, in.TTL); err != nil {
			return err
		}
		return stale(in.Key)
	case core.SharedDelete:
		if err := n.core.CheckSharedDelete(in.Key); err != nil {
			return err
		}
		return stale(in.Key)
	case core.Remove:
		return n.core.CheckRemove(in.ID)
	}
	return nil
}
