package gossip

import (
	"context"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

// patience bounds how long a request without a deadline of its own waits for the disk.
const patience = 30 * time.Second

// event is an input of the core, with what the loop needs besides.
type event struct {
	in     core.Input
	link   *link       // that a LinkUp is about
	reply  chan error  // answers a request; holds one, so that the loop does not wait
	expect *core.Stamp // of the shared key; nil: any
	query  func()      // reads from the core, in place of an input; only with a reply
}

// tell hands an input to the loop. It returns when that has taken it, the node has stopped, or ctx is done.
func (n *Node) tell(ctx context.Context, in core.Input) error { return n.tellOf(ctx, event{in: in}) }

func (n *Node) tellOf(ctx context.Context, e event) error {
	select {
	case n.inputs <- e:
		return nil
	case <-n.life.Done():
		<-n.done
		return n.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// request has the loop check an input and take it, and returns why it did not. An error of ctx leaves open whether it did.
func (n *Node) request(ctx context.Context, e event) error {
	e.reply = make(chan error, 1)
	if err := n.tellOf(ctx, e); err != nil {
		return err
	}
	select {
	case err := <-e.reply:
		return err
	case <-ctx.Done():
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

// take deals with one event. It reports whether the node is to end.
func (n *Node) take(e event) (end bool) {
	if e.reply == nil {
		return n.step(e.in)
	}
	if e.query != nil {
		e.query()
		e.reply <- nil
		return false
	}
	err := n.check(e)
	if err != nil {
		e.reply <- err
		return false
	}
	end = n.step(e.in)
	if !n.viewAt.IsZero() {
		n.publish() // who wrote reads what he wrote
	}
	n.memory.keepRequest(e.in)
	n.memory.answer(e.reply)
	return end
}

// check returns why a request cannot be granted, nil if it can.
func (n *Node) check(e event) error {
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
