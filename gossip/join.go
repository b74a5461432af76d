package gossip

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/internal/span"
)

// joinCall is a Join of one address. The fields are the loop's.
type joinCall struct {
	addr    string
	attempt uint64 // of the core's Dial of this address, which this Join answers; 0: there was none

	once sync.Once
	done chan struct{} // closed when the first exchange is over, or there will be none
	err  error         // to be read when done is closed: why there was none
}

func (j *joinCall) finishJoin(err error) {
	j.once.Do(func() {
		j.err = err
		close(j.done)
	})
}

// errExchangeCut is the error of a Join whose stream has ended too early.
var errExchangeCut = errors.New("the stream ended before the first exchange was over")

// joinTries is how often Join calls an address whose stream ends during the first exchange: the member may still have a stream to an
// earlier life of this node, and closes the one or the other.
const joinTries = 3

// Join calls addresses at which members may live, one after the other, and keeps them all: while no member that is up lives at one
// of them, it is tried again for as long as this node runs, whatever Join returns.
//
// It returns nil when each address is that of a node of this cluster, which is kept on the disk if this node has one, and this node
// has all that these nodes had, so that View and the shared map can be used. An error wraps [ErrSelf], [ErrForeign], what went wrong,
// or the cause of ctx.
func (n *Node) Join(ctx context.Context, addrs ...string) error {
	ctx, sp := n.tracer.Start(ctx, "convoke.gossip.join")
	var errs []error
	for _, addr := range addrs {
		err := n.joinAddr(ctx, addr)
		for tries := 1; errors.Is(err, errExchangeCut) && tries < joinTries; tries++ {
			err = n.joinAddr(ctx, addr)
		}
		errs = append(errs, err)
	}
	err := errors.Join(errs...)
	span.End(sp, err)
	return err
}

// joinAddr calls one address, and returns when the first exchange is over.
func (n *Node) joinAddr(ctx context.Context, addr string) error {
	if addr == n.Addr() {
		return ErrSelf
	}
	j := &joinCall{addr: addr, done: make(chan struct{})}
	if err := n.sendEvent(ctx, event{in: core.Join{Addrs: []string{addr}}, join: j}); err != nil {
		return fmt.Errorf("join %s: %w", addr, err)
	}
	hello, err := n.callForJoin(ctx, j)
	switch {
	case err != nil:
		return fmt.Errorf("join %w", err)
	case n.isSelf(hello):
		n.count.rejected[self].Add(1)
		return ErrSelf
	}
	if err := n.keepContact(ctx, hello); err != nil {
		return fmt.Errorf("join %s: %w", addr, err)
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		return fmt.Errorf("join %s: the first exchange is not over: %w", addr, context.Cause(ctx))
	}
	// The exchange may be over because the node ends: the loop answers only if it does not.
	if err := n.request(ctx, event{query: func() {}}); err != nil {
		return fmt.Errorf("join %s: %w", addr, err)
	}
	if j.err != nil {
		return fmt.Errorf("join %s: %w", addr, j.err)
	}
	return nil
}

// callForJoin runs the handshake with the address of a Join and passes the stream, or the failure, to the loop.
func (n *Node) callForJoin(ctx context.Context, j *joinCall) (*core.Hello, error) {
	limited, cancel := context.WithTimeout(ctx, n.tuning.DialTimeout)
	defer cancel()
	defer context.AfterFunc(n.life, cancel)()
	s, hello, err := n.dialAddr(limited, j.addr)
	if err != nil {
		if r := (*rejection)(nil); errors.As(err, &r) { // it is returned, so it is not logged
			n.count.rejected[r.reason].Add(1)
		}
		_ = n.sendEvent(context.Background(), event{in: core.DialFailed{Refused: errors.Is(err, transport.ErrRefused)}, join: j})
		return nil, err
	}
	l := n.newLink(s, hello)
	up := linkUp(l.number, hello)
	up.Dialled = true
	if err := n.sendEvent(context.Background(), event{in: up, link: l, join: j}); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("%s: %w", j.addr, err)
	}
	return hello, nil
}

// takeJoin handles one step of a Join in the loop: its beginning, the stream that it has opened, or its failure. A Dial of the core
// for its address is answered with its stream, so that there are not two; see startDial.
func (n *Node) takeJoin(e event) (end bool) {
	j := e.join
	if in, ok := e.in.(core.Join); ok {
		if n.joins[j.addr] == nil {
			n.joins[j.addr] = j
		}
		return n.stepCore(in)
	}
	if n.joins[j.addr] == j {
		delete(n.joins, j.addr)
	}
	switch in := e.in.(type) {
	case core.DialFailed:
		j.finishJoin(nil) // callForJoin returns why
		if in.Attempt = j.attempt; in.Attempt == 0 {
			return false
		}
		return n.stepCore(in)
	case core.LinkUp:
		used := n.linkTo(in.ID, in.Generation)
		if in.Attempt = j.attempt; in.Attempt == 0 && (used != nil || n.isUp(in.ID, in.Generation)) {
			e.link.close(false) // for the peer it was a probe
			if used == nil {
				j.finishJoin(nil)
			} else {
				used.addJoin(j)
			}
			return false
		}
		if used == nil { // else the core keeps that one
			used, e.link.joined = e.link, j.addr
		}
		used.addJoin(j)
		n.links[e.link.number] = e.link
		end = n.stepCore(in)
		n.tasks.Go(func() { n.readFrames(e.link) })
	}
	return end
}

// linkTo returns a link to this life of a member, nil if there is none.
func (n *Node) linkTo(id string, generation uint64) *link {
	for _, l := range n.links {
		if l.id == id && l.generation == generation {
			return l
		}
	}
	return nil
}

// isUp reports whether this life of a member is up.
func (n *Node) isUp(id string, generation uint64) bool {
	m, ok := n.View().Member(id)
	return ok && m.Up() && m.Generation == generation
}

// startDial carries out a Dial of the core. There is no second stream to an address whose Join is on its way, or has just brought a
// link: the core knows only the names of those it is linked to.
func (n *Node) startDial(d core.Dial) {
	if j := n.joins[d.Addr]; j != nil && j.attempt == 0 {
		j.attempt = d.Attempt
		return
	}
	if d.ID == "" && n.isJoined(d.Addr) {
		n.tasks.Go(func() { _ = n.sendInput(context.Background(), core.DialFailed{Attempt: d.Attempt}) })
		return
	}
	n.tasks.Go(func() { n.dialAndReport(d) })
}

// isJoined reports whether a Join of an address has brought a link that is in use.
func (n *Node) isJoined(addr string) bool {
	for _, l := range n.links {
		if l.joined == addr {
			return true
		}
	}
	return false
}
