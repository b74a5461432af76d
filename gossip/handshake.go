package gossip

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/gossip/wire"
)

var errNoHello = errors.New("a frame other than hello came first")

// hello is what this node says of itself.
func (n *Node) hello() *core.Hello {
	return &core.Hello{
		Protocol: wire.Protocol, Cluster: n.config.ClusterID, ID: n.config.Name,
		Generation: n.generation.Load(), Addr: n.tuning.Addr, Clock: n.now().UnixMilli(), Rejoin: n.config.Rejoin,
		Aged: n.shared.aged.Load(),
	}
}

// call dials an address and shakes hands. The stream is closed if that fails. The error is a refusal, with its reason,
// if it was not the network.
func (n *Node) call(ctx context.Context, addr string) (*stream, *core.Hello, error) {
	n.count.dialled.Add(1)
	s, hello, err := n.reach(ctx, addr)
	if err == nil {
		return s, hello, nil
	}
	n.count.dialsFailed.Add(1)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, transport.ErrUntrusted):
		err = &refusal{reason: untrusted, err: fmt.Errorf("%w: %w", ErrForeign, err)}
	case errors.Is(err, transport.ErrHandshake) && hungUp(err):
		err = &refusal{reason: silence, err: err}
	case errors.Is(err, transport.ErrHandshake):
		err = &refusal{reason: badHandshake, err: err}
	}
	return nil, nil, fmt.Errorf("%s: %w", addr, err)
}

func (n *Node) reach(ctx context.Context, addr string) (*stream, *core.Hello, error) {
	conn, err := n.transport.Dial(ctx, addr)
	if err != nil {
		return nil, nil, err
	}
	s := n.newStream(conn)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	hello, err := n.greet(s)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, nil, err
	}
	return s, hello, nil
}

// greet is the handshake of who dialled.
func (n *Node) greet(s *stream) (*core.Hello, error) {
	_ = s.write(n.hello()) // if it is not taken, what was said to us before tells why
	f, err := s.read()
	if errors.Is(err, transport.ErrUntrusted) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: no answer to our hello, the other side may want TLS or a pre-shared key: %w", transport.ErrHandshake, err)
	}
	switch f := f.(type) {
	case *core.Hello:
		if r := n.objection(s, f); r != nil {
			_ = s.write(&core.Refuse{Reason: r.said})
			return nil, r
		}
		return f, nil
	case *core.Refuse:
		return nil, refuse(byPeer, "the other side says %q", f.Reason)
	}
	return nil, &refusal{reason: badHandshake, err: errNoHello}
}

// Join calls addresses at which members may live, one after the other, and has those that answered called for ever
// while they are not up. It returns nil when every one belongs to this cluster and is kept on the disk, if this node has one; an error
// wraps [ErrSelf], [ErrForeign] or what went wrong.
func (n *Node) Join(ctx context.Context, addrs ...string) error {
	var errs []error
	for _, addr := range addrs {
		errs = append(errs, n.join(ctx, addr))
	}
	return errors.Join(errs...)
}

func (n *Node) join(ctx context.Context, addr string) error {
	if addr == n.tuning.Addr {
		return ErrSelf
	}
	limited, cancel := context.WithTimeout(ctx, n.tuning.DialTimeout)
	defer cancel()
	stop := context.AfterFunc(n.life, cancel)
	defer stop()
	s, hello, err := n.call(limited, addr)
	if err != nil {
		if r := (*refusal)(nil); errors.As(err, &r) { // the caller is told, and says so if it likes
			n.count.refused[r.reason].Add(1)
		}
		return fmt.Errorf("join %w", err)
	}
	_ = s.Close() // the core dials for itself
	if n.isSelf(hello) {
		n.count.refused[self].Add(1)
		return ErrSelf
	}
	if err := n.tell(ctx, core.Join{Addrs: []string{addr}}); err != nil {
		return err
	}
	if err := n.keepContact(ctx, hello); err != nil {
		return fmt.Errorf("join %s: %w", addr, err)
	}
	return nil
}

// dial opens a stream that the core asked for and tells how that went.
func (n *Node) dial(d core.Dial) {
	ctx, cancel := context.WithTimeout(n.life, n.tuning.DialTimeout)
	s, hello, err := n.call(ctx, d.Addr)
	cancel()
	if err != nil {
		n.log.Debug("dial failed", "peer", d.ID, "addr", d.Addr, "error", err)
		if r := (*refusal)(nil); errors.As(err, &r) {
			n.refused(r.reason, hostOf(tcpAddr(d.Addr)), err)
		}
		_ = n.tell(context.Background(), core.DialFailed{Attempt: d.Attempt, Refused: errors.Is(err, transport.ErrRefused)})
		return
	}
	if n.isSelf(hello) {
		n.refused(self, d.Addr, nil)
	}
	n.adopt(s, hello, d.Attempt, nil)
}

// tcpAddr is a host:port as an address.
type tcpAddr string

func (tcpAddr) Network() string  { return "tcp" }
func (a tcpAddr) String() string { return string(a) }

// adopt hands a stream whose handshake is over to the loop, and reads it until its end.
func (n *Node) adopt(s *stream, hello *core.Hello, attempt uint64, first core.Frame) {
	l := newLink(core.LinkID(n.lastLink.Add(1)), hello.ID, s)
	up := core.LinkUp{Link: l.number, ID: hello.ID, Generation: hello.Generation, Addr: hello.Addr, Attempt: attempt, Dialled: attempt != 0, Clock: hello.Clock, Rejoin: hello.Rejoin, Aged: hello.Aged}
	if n.tellOf(context.Background(), event{in: up, link: l}) != nil {
		_ = s.Close()
		return
	}
	if first != nil {
		_ = n.tell(context.Background(), core.Received{Link: l.number, Frame: first}) // as below
	}
	n.read(l)
}

// read hands the frames of a link to the loop until its end. When the loop has ended, what still comes is thrown away, so
// that a goodbye can be written: a stream that is closed with bytes unread is torn down with what is on its way.
func (n *Node) read(l *link) {
	defer l.close(false)
	stop := context.AfterFunc(n.ended, func() { l.close(false) })
	defer stop()
	var armed time.Time
	for {
		if now := time.Now(); now.Sub(armed) > n.quiet/8 {
			armed = now
			_ = l.stream.SetReadDeadline(now.Add(n.quiet))
		}
		f, err := l.stream.read()
		if err != nil {
			n.log.Debug("link ended", "peer", l.id, "error", err)
			if errors.Is(err, wire.ErrMalformed) {
				n.trouble.warn("a peer sent what is no frame, its stream is closed", l.host, "peer", l.id, "addr", l.host, "error", err)
			}
			_ = n.tell(context.Background(), core.LinkDown{Link: l.number}) // at the end nobody listens
			return
		}
		_ = n.tell(context.Background(), core.Received{Link: l.number, Frame: f})
	}
}
