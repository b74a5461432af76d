package gossip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
)

var errNoHello = errors.New("a frame other than hello came first")

// newHello returns the hello of this node.
func (n *Node) newHello() *core.Hello {
	return &core.Hello{
		Protocol: wire.Protocol, Cluster: n.config.ClusterID, ID: n.config.Name,
		Generation: n.generation.Load(), Addr: n.Addr(), Clock: n.coreTime().UnixMilli(),
		Rejoin: n.config.Rejoin, Aged: n.aged.Load(), Since: core.Moment(n.since.Load()),
	}
}

// storeAge takes over from the core what handshakes show of its age.
func (n *Node) storeAge() {
	n.since.Store(int64(n.core.Since()))
	n.aged.Store(n.core.Aged())
}

// linkUp returns the input of the core for a stream whose handshake is over.
func linkUp(id core.LinkID, h *core.Hello) core.LinkUp {
	return core.LinkUp{Link: id, ID: h.ID, Generation: h.Generation, Addr: h.Addr, Clock: h.Clock, Rejoin: h.Rejoin,
		Aged: h.Aged, Since: h.Since}
}

// dialAddr dials an address and runs the handshake. The stream is closed if that fails. The error is a rejection, with its reason,
// unless it came from the network.
func (n *Node) dialAddr(ctx context.Context, addr string) (*stream, *core.Hello, error) {
	n.count.dialled.Add(1)
	ctx, ended := n.traceHandshake(ctx, addr)
	s, hello, err := n.dialAndGreet(ctx, addr)
	if err == nil {
		ended(nil)
		return s, hello, nil
	}
	n.count.dialsFailed.Add(1)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, transport.ErrUntrusted):
		err = &rejection{reason: untrusted, err: fmt.Errorf("%w: %w", ErrForeign, err)}
	case errors.Is(err, transport.ErrHandshake) && isHangUp(err):
		err = &rejection{reason: hungUp, err: err}
	case errors.Is(err, transport.ErrHandshake):
		err = &rejection{reason: badHandshake, err: err}
	}
	ended(err)
	return nil, nil, fmt.Errorf("%s: %w", addr, err)
}

func (n *Node) dialAndGreet(ctx context.Context, addr string) (*stream, *core.Hello, error) {
	conn, err := n.transport.Dial(ctx, addr)
	if err != nil {
		return nil, nil, err
	}
	s := n.newStream(conn)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	hello, err := n.dialHandshake(s)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, nil, err
	}
	return s, hello, nil
}

// dialHandshake is the dialler's side of the exchange of hellos.
func (n *Node) dialHandshake(s *stream) (*core.Hello, error) {
	_ = s.writeFrame(n.newHello()) // if that fails, a Refuse that came before explains why
	f, err := s.readFrame()
	if errors.Is(err, transport.ErrUntrusted) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: no answer to our hello, the other side may want TLS or a pre-shared key: %w", transport.ErrHandshake, err)
	}
	switch f := f.(type) {
	case *core.Hello:
		if r := n.checkHello(s, f); r != nil {
			_ = s.writeFrame(&core.Refuse{Reason: r.sent})
			return nil, r
		}
		return f, nil
	case *core.Refuse:
		if strings.HasPrefix(f.Reason, "busy") {
			return nil, &rejection{reason: byPeer, err: fmt.Errorf("the other side answered %q", f.Reason)}
		}
		return nil, reject(byPeer, "the other side answered %q", f.Reason)
	}
	return nil, &rejection{reason: badHandshake, err: errNoHello}
}

// dialAndReport opens a stream that the core asked for and reports how that went.
func (n *Node) dialAndReport(d core.Dial) {
	ctx, cancel := context.WithTimeout(n.life, n.tuning.DialTimeout)
	s, hello, err := n.dialAddr(ctx, d.Addr)
	cancel()
	if err != nil {
		n.log.Debug("dial failed", "peer", d.ID, "addr", d.Addr, "error", err)
		if r := (*rejection)(nil); errors.As(err, &r) {
			n.countRejected(r.reason, hostOf(tcpAddr(d.Addr)), err)
		}
		_ = n.sendInput(context.Background(), core.DialFailed{Attempt: d.Attempt, Refused: errors.Is(err, transport.ErrRefused)})
		return
	}
	if n.isSelf(hello) {
		n.countRejected(self, d.Addr, nil)
	}
	n.adoptStream(s, hello, d.Attempt, nil, func() {})
}

// tcpAddr is a host:port as an address.
type tcpAddr string

func (tcpAddr) Network() string  { return "tcp" }
func (a tcpAddr) String() string { return string(a) }

// newLink makes a link of a stream whose handshake is over.
func (n *Node) newLink(s *stream, hello *core.Hello) *link {
	return newLink(core.LinkID(n.lastLink.Add(1)), hello, s)
}

// adoptStream passes a stream whose handshake is over to the loop, and returns when that has taken it and its first frame. It is then read
// until its end by a goroutine of its own, whose stack is smaller than that of a handshake; ended is called after that.
func (n *Node) adoptStream(s *stream, hello *core.Hello, attempt uint64, first core.Frame, ended func()) {
	l := n.newLink(s, hello)
	up := linkUp(l.number, hello)
	up.Attempt, up.Dialled = attempt, attempt != 0
	if !s.greeted.IsZero() {
		up.Opened = time.Since(s.greeted)
	}
	if n.sendEvent(context.Background(), event{in: up, link: l}) != nil {
		_ = s.Close()
		ended()
		return
	}
	if first != nil {
		_ = n.sendInput(context.Background(), core.Received{Link: l.number, Frame: first}) // as in read
	}
	n.tasks.Go(func() {
		defer ended()
		n.readFrames(l)
	})
}

// readFrames passes the frames of a link to the loop until its end. When the loop has ended, what still comes is dropped, so that the last
// frames can be written: a stream that is closed with bytes unread is torn down with what is on its way.
func (n *Node) readFrames(l *link) {
	defer l.close(false)
	secured := &securedStream{l.id, l.stream.transportConn(), func() { l.close(false) }}
	n.security.add(secured)
	defer n.security.remove(secured)
	stop := context.AfterFunc(n.ended, func() { l.close(false) })
	defer stop()
	var armed time.Time
	for n.passFrame(l, &armed) {
	}
}

// passFrame waits for the next frame of a link and passes it to the loop; it returns false at the end of the link. A node has several goroutines
// that wait here nearly always: what it does before and after is in functions of its own, so that their stacks stay small.
func (n *Node) passFrame(l *link, armed *time.Time) bool {
	n.extendRead(l, armed)
	f, err := l.stream.readFrame()
	if err != nil {
		n.endRead(l, err)
		return false
	}
	n.sendReceived(l, f)
	return true
}

// extendRead moves the deadline of reading, now and then: armed is when it last did.
func (n *Node) extendRead(l *link, armed *time.Time) {
	if now := time.Now(); now.Sub(*armed) > n.readTimeout/8 {
		*armed = now
		_ = l.stream.SetReadDeadline(now.Add(n.readTimeout))
	}
}

// endRead reports to the loop that nothing more can be read.
func (n *Node) endRead(l *link, err error) {
	n.log.Debug("link ended", "peer", l.id, "error", err)
	if errors.Is(err, wire.ErrMalformed) {
		n.warnings.warn("peer sent a malformed frame, its stream is closed", l.host, "peer", l.id, "addr", l.host, "error", err)
	}
	_ = n.sendInput(context.Background(), core.LinkDown{Link: l.number}) // an error means that the loop has ended
}

// sendReceived passes a frame to the loop.
func (n *Node) sendReceived(l *link, f core.Frame) {
	_ = n.sendEvent(context.Background(), event{in: core.Received{Link: l.number, Frame: f}, since: time.Now()})
}
