package gossip

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

// run owns the core: it tells it what happens and does what it asks for.
func (n *Node) run() {
	n.err = ErrStopped
	defer close(n.done)
	defer n.cancel()
	defer n.closeLinks()
	defer func() {
		if r := recover(); r != nil { // a defect of ours, which must not take the application down
			n.err = fmt.Errorf("gossip: the core panicked: %v\n%s", r, debug.Stack())
		}
	}()
	timer := time.NewTimer(time.Until(n.core.NextTick()))
	defer timer.Stop()
	for {
		e := event{in: core.Tick{}}
		select {
		case <-n.life.Done():
			return
		case e = <-n.inputs:
		case <-timer.C:
		}
		if e.link != nil {
			n.links[e.link.number] = e.link
		}
		if n.step(e.in) {
			n.publish()
			return
		}
		now := time.Now()
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

// step hands one input to the core and carries out what it answers. It reports whether the node is to end.
func (n *Node) step(in core.Input) (end bool) {
	_, leave := in.(core.Leave)
	if down, ok := in.(core.LinkDown); ok {
		delete(n.links, down.Link) // its reader has closed it
	}
	for _, out := range n.core.Step(time.Now(), in) {
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
				n.viewAt = time.Now().Add(viewGap)
			}
		case core.Renewed:
			n.generation.Store(out.Generation)
			n.log.Info("took a higher generation, because the cluster remembered this name", "generation", out.Generation)
		case core.Conflict:
			n.log.Error("a newer process has this node's name; this one stops", "member", n.config.Name, "generation", out.Generation)
			n.err = fmt.Errorf("%w (%q, generation %d)", ErrConflict, n.config.Name, out.Generation)
			end = true
		case core.Paused:
			n.log.Warn("this process did not run for a while; nobody is blamed for it", "elapsed", out.For)
		case core.Rejected:
			n.log.Debug("a peer broke a rule", "error", out.Reason)
		}
	}
	return end || leave
}

// publish makes what the core knows now the view.
func (n *Node) publish() {
	n.viewAt = time.Time{}
	v := n.core.View()
	n.view.Store(&v)
	n.watch.wake()
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
		n.log.Warn("a link is too slow and is closed", "peer", l.id)
		l.close(false) // its reader tells the core
	}
}

// dial opens a stream that the core asked for and tells how that went.
func (n *Node) dial(d core.Dial) {
	ctx, cancel := context.WithTimeout(n.life, n.tuning.DialTimeout)
	defer cancel()
	s, hello, err := n.call(ctx, d.Addr)
	if err != nil {
		n.log.Debug("dial failed", "peer", d.ID, "addr", d.Addr, "error", err)
		_ = n.tell(context.Background(), core.DialFailed{Attempt: d.Attempt, Refused: errors.Is(err, transport.ErrRefused)})
		return
	}
	n.adopt(s, hello, d.Attempt, nil)
}

// adopt hands a stream whose handshake is over to the loop, and reads it until its end.
func (n *Node) adopt(s *stream, hello *core.Hello, attempt uint64, first core.Frame) {
	l := newLink(core.LinkID(n.lastLink.Add(1)), hello.ID, s)
	up := core.LinkUp{Link: l.number, ID: hello.ID, Generation: hello.Generation, Addr: hello.Addr, Attempt: attempt}
	if n.tellOf(context.Background(), event{up, l}) != nil {
		_ = s.Close()
		return
	}
	n.tasks.Go(l.write)
	if first != nil && n.tell(context.Background(), core.Received{Link: l.number, Frame: first}) != nil {
		l.close(false)
		return
	}
	n.read(l)
}

// read hands the frames of a link to the loop until its end.
func (n *Node) read(l *link) {
	defer l.close(false)
	for {
		f, err := l.stream.reader.Read()
		if err != nil {
			n.log.Debug("link ended", "peer", l.id, "error", err)
			_ = n.tell(context.Background(), core.LinkDown{Link: l.number}) // at the end nobody listens
			return
		}
		if n.tell(context.Background(), core.Received{Link: l.number, Frame: f}) != nil {
			return
		}
	}
}

// closeLinks ends the streams that are left.
func (n *Node) closeLinks() {
	for _, l := range n.links {
		l.close(false)
	}
	clear(n.links)
}
