package gossip

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

// run owns the core: it tells it what happens and does what it asks for. With over, all was over before it began.
func (n *Node) run(over bool) {
	defer close(n.done)
	defer n.cancel()
	defer n.closeLinks()
	defer func() {
		if r := recover(); r != nil { // a defect of ours, which must not take the application down
			n.err = fmt.Errorf("gossip: the core panicked: %v\n%s", r, debug.Stack())
		}
	}()
	timer := time.NewTimer(n.core.NextTick().Sub(n.now()))
	defer timer.Stop()
	for !over {
		e := event{in: core.Tick{}}
		select {
		case <-n.life.Done():
			return
		case e = <-n.inputs:
		case <-timer.C:
		}
		if e.link != nil {
			n.links[e.link.number] = e.link
			n.writers.Go(e.link.write)
		}
		if over = n.take(e); over {
			n.publish()
			return
		}
		now := n.now()
		n.noteStaleness(now)
		if !n.viewAt.IsZero() && !now.Before(n.viewAt) {
			n.publish()
		}
		next := n.core.NextTick()
		if !n.viewAt.IsZero() && n.viewAt.Before(next) {
			next = n.viewAt
		}
		timer.Reset(max(0, next.Sub(now)))
	}
}

// noteStaleness keeps what Staleness returns.
func (n *Node) noteStaleness(now time.Time) {
	at := int64(0)
	if n.core.Links() > 0 {
		at = now.Add(-n.core.Staleness()).UnixNano()
	}
	n.inStep.Store(at)
}

// step hands one input to the core and carries out what it answers. It reports whether the node is to end.
func (n *Node) step(in core.Input) (end bool) {
	_, leave := in.(core.Leave)
	if down, ok := in.(core.LinkDown); ok {
		delete(n.links, down.Link) // its reader has closed it
	}
	for _, out := range n.core.Step(n.now(), in) {
		n.memory.keepOutput(out)
		switch out := out.(type) {
		case core.Send:
			n.send(out)
		case core.Dial:
			n.tasks.Go(func() { n.dial(out) })
		case core.Close:
			if l := n.links[out.Link]; l != nil {
				l.close(out.Graceful)
				delete(n.links, out.Link)
			}
		case core.Changed:
			if n.viewAt.IsZero() {
				n.viewAt = n.viewed.Add(viewGap)
			}
		case core.Renewed:
			n.generation.Store(out.Generation)
			n.log.Info("took a higher generation, because the cluster remembered this name", "generation", out.Generation)
		case core.RememberShared:
			n.shared.remember(out)
		case core.ForgetShared:
			n.shared.forget(out.Space, out.Key)
		case core.Removed:
			n.log.Error("this node was removed from its cluster; it stops", "member", n.config.Name)
			n.err = ErrRemoved
			end = true
		case core.Conflict:
			n.log.Error("a newer process has this node's name; this one stops", "member", n.config.Name, "generation", out.Generation)
			n.err = fmt.Errorf("%w (%q, generation %d)", ErrConflict, n.config.Name, out.Generation)
			end = true
		case core.Paused:
			n.count.pauses.Add(1)
			n.trouble.warn("this process did not run for a while, nobody is blamed for it", "", "elapsed", out.For)
		case core.Rejected:
			n.rejected(out)
		}
	}
	n.shared.aged.Store(n.core.Aged())
	return end || leave
}

// publish makes what the core knows now the view.
func (n *Node) publish() {
	n.viewAt, n.viewed = time.Time{}, n.now()
	n.view.Store(n.core.View())
	n.watch.wake()
}

// rejected counts what a peer sent and must not, and says so once in a while.
func (n *Node) rejected(out core.Rejected) {
	n.count.framesRejected.Add(1)
	if out.Reason == core.ReasonClockAhead {
		n.count.clocksAhead.Add(1)
	}
	if l := n.links[out.Link]; l != nil {
		n.trouble.warn("a peer broke a rule", l.host, "peer", l.id, "addr", l.host, "error", out.Reason)
		return
	}
	n.trouble.warn("a peer broke a rule", "", "error", out.Reason)
}

// send queues a frame. A link whose queue is full is too slow to be of use.
func (n *Node) send(out core.Send) {
	l := n.links[out.Link]
	if l == nil {
		return
	}
	select {
	case l.queue <- out.Frame:
	default:
		n.count.overflows.Add(1)
		n.trouble.warn("a link is too slow and is closed", l.host, "peer", l.id, "addr", l.host)
		l.close(false) // its reader tells the core
		delete(n.links, out.Link)
	}
}

// closeLinks ends the streams that are left.
func (n *Node) closeLinks() {
	for _, l := range n.links {
		l.close(false)
	}
	clear(n.links)
}
