package gossip

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// runLoop owns the core: it passes on what happens and carries out what the core asks for. With over, the node is to end at once.
func (n *Node) runLoop(over bool) {
	defer close(n.stopped)
	defer n.cancel()
	defer n.closeLinks()
	defer func() {
		if r := recover(); r != nil { // a defect of ours, which must not take the application down
			n.err = fmt.Errorf("gossip: the core panicked: %v\n%s", r, debug.Stack())
		}
	}()
	timer := time.NewTimer(n.core.NextTick().Sub(n.coreTime()))
	defer timer.Stop()
	for !over {
		e := event{in: core.Tick{}}
		select {
		case <-n.life.Done():
			return
		case e = <-n.inputs:
		case <-timer.C:
		}
		if over = n.handleEvent(e); over {
			n.publishView()
			return
		}
		now := n.coreTime()
		n.noteStaleness(now)
		if !n.viewAt.IsZero() && !now.Before(n.viewAt) {
			n.publishView()
		}
		next := n.core.NextTick()
		if !n.viewAt.IsZero() && n.viewAt.Before(next) {
			next = n.viewAt
		}
		timer.Reset(max(0, next.Sub(now)))
	}
}

// noteStaleness stores what Staleness returns.
func (n *Node) noteStaleness(now time.Time) {
	at := int64(0)
	if n.core.Links() > 0 {
		at = now.Add(-n.core.Staleness()).UnixNano()
	}
	n.inStep.Store(at)
}

// stepCore passes one input to the core and carries out its outputs. It reports whether the node is to end.
func (n *Node) stepCore(in core.Input) (end bool) {
	_, leave := in.(core.Leave)
	if down, ok := in.(core.LinkDown); ok {
		n.dropLink(down.Link, false) // its reader has closed it
	}
	for _, out := range n.core.Step(n.coreTime(), in) {
		n.persist.keepOutput(out)
		end = n.carryOut(out) || end
	}
	n.storeAge()
	return end || leave
}

// carryOut does what one output of the core asks for. It reports whether the node is to end.
func (n *Node) carryOut(out core.Output) (end bool) {
	switch out := out.(type) {
	case core.Send:
		n.sendFrame(out)
	case core.Dial:
		n.startDial(out)
	case core.Close:
		n.dropLink(out.Link, out.Graceful)
	case core.Exchanged:
		if !n.viewAt.IsZero() {
			n.publishView() // a Join that returns now finds what it brought
		}
		if l := n.links[out.Link]; l != nil {
			l.exchanged = true
			l.finishJoins(nil)
		}
	case core.Changed:
		if n.viewAt.IsZero() {
			n.viewAt = n.viewed.Add(n.viewGap + 4*n.core.Lag())
		}
	case core.Renewed:
		n.generation.Store(out.Generation)
		n.log.Info("took a higher generation, because the cluster remembered this name", "generation", out.Generation)
	case core.RememberShared:
		n.notePropagation(out)
		n.shared.applyChange(out)
	case core.ForgetShared:
		n.shared.forgetKey(out.Space, out.Key)
	case core.Removed:
		n.log.Error("this node was removed from its cluster; it stops", "member", n.config.Name)
		n.err = ErrRemoved
		return true
	case core.Conflict:
		n.count.nameConflicts.Add(1)
		n.noteConflict(out)
		return true
	case core.Paused:
		n.count.pauses.Add(1)
		n.warnings.warn("process was paused; failure timers extended", "", "elapsed", out.For)
	case core.Rejected:
		n.noteRejected(out)
	}
	return false
}

// publishView makes what the core knows now the view.
func (n *Node) publishView() {
	start := n.coreTime()
	v := n.viewer.renew(start)
	v.Hash, v.Shared, v.Isolated, v.Pending = n.core.Hash(), n.core.SharedHash(), n.core.Isolated(), n.core.Pending()
	n.view.Store(&v)
	n.watch.wakeAll()
	n.viewAt, n.viewed = time.Time{}, n.coreTime()
	n.viewGap = min(max(viewGap, viewShare*n.viewed.Sub(start)), maxViewGap)
}

// notePropagation counts how long a write of another node has taken to this one. What was written before this node started took as long
// because of that, and what it wrote itself in an earlier life was here already.
func (n *Node) notePropagation(out core.RememberShared) {
	if out.Arrived && out.Entry.Writer != n.id && out.Entry.Stamp.Time().After(n.begun) {
		n.count.propagation.Observe(out.Age)
	}
}

// countChange counts what became of another member.
func (n *Node) countChange(r renewal) {
	if r.name() != n.config.Name {
		n.count.changes[r.kindOf()].Add(1)
	}
}

// noteRejected counts what a peer sent against the rules, and logs it once in a while.
func (n *Node) noteRejected(out core.Rejected) {
	n.count.framesRejected.Add(1)
	if out.Reason == core.ReasonClockAhead {
		n.count.clocksAhead.Add(1)
	}
	if l := n.links[out.Link]; l != nil {
		n.warnings.warn("peer broke a rule", l.host, "peer", l.id, "addr", l.host, "error", out.Reason)
		return
	}
	n.warnings.warn("peer broke a rule", "", "error", out.Reason)
}

// sendFrame queues a frame for a link.
func (n *Node) sendFrame(out core.Send) {
	l := n.links[out.Link]
	if l == nil {
		return
	}
	if bye, ok := out.Frame.(*core.Bye); ok && bye.Reason == core.ByeConflict && !errors.Is(n.err, ErrConflict) {
		n.count.nameConflicts.Add(1)
	}
	dropped, start := l.queue.push(out.Frame)
	if dropped {
		n.count.framesDropped.Add(1)
		n.warnings.warn("link is slow; frames are dropped and sent again later", l.host, "peer", l.id, "addr", l.host)
	}
	if start {
		n.writers.Go(l.writeQueued)
	}
}

// dropLink closes a link that the core does not use any more. The Joins that wait for its first exchange wait for that of another link
// to the same member, if there is one.
func (n *Node) dropLink(id core.LinkID, graceful bool) {
	l := n.links[id]
	if l == nil {
		return
	}
	l.close(graceful)
	delete(n.links, id)
	if used := n.linkTo(l.id, l.generation); used != nil {
		for _, j := range l.joins {
			used.addJoin(j)
		}
		return
	}
	l.finishJoins(errExchangeCut)
}

// closeLinks ends the links that are left, and the Joins that wait.
func (n *Node) closeLinks() {
	for id := range n.links {
		n.dropLink(id, false)
	}
}
