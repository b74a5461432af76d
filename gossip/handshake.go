package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/wire"
)

const (
	// maxHandshakes bounds the inbound streams that have not said who they are.
	maxHandshakes = 256
	// acceptTimeout is how long such a stream may take.
	acceptTimeout = 5 * time.Second
)

var (
	// ErrForeign says that a node belongs to another cluster, or speaks no protocol that we do.
	ErrForeign = errors.New("gossip: refused")
	// ErrSelf says that an address is this node's own.
	ErrSelf = errors.New("gossip: the address is this node's own")
)

// hello is what this node says of itself.
func (n *Node) hello() *core.Hello {
	return &core.Hello{
		Protocol: wire.Protocol, Cluster: n.config.ClusterID, ID: n.config.Name,
		Generation: n.generation.Load(), Addr: n.tuning.Addr,
	}
}

// call dials an address and shakes hands. The stream is closed if that fails.
func (n *Node) call(ctx context.Context, addr string) (*stream, *core.Hello, error) {
	conn, err := n.transport.Dial(ctx, addr)
	if err != nil {
		return nil, nil, err
	}
	s := newStream(conn)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	hello, err := n.greet(ctx, s)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, nil, fmt.Errorf("%s: %w", addr, err)
	}
	return s, hello, nil
}

// greet is the handshake of who dialled.
func (n *Node) greet(ctx context.Context, s *stream) (*core.Hello, error) {
	until, _ := ctx.Deadline()
	_ = s.SetDeadline(until)
	defer s.SetDeadline(time.Time{})
	if err := s.write(n.hello()); err != nil {
		return nil, err
	}
	f, err := s.reader.Read()
	if err != nil {
		return nil, err
	}
	switch f := f.(type) {
	case *core.Hello:
		if reason := n.objection(s, f); reason != "" {
			_ = s.write(&core.Refuse{Reason: reason})
			return nil, fmt.Errorf("%w: %s", ErrForeign, reason)
		}
		return f, nil
	case *core.Refuse:
		return nil, fmt.Errorf("%w by the other side: %q", ErrForeign, f.Reason)
	}
	return nil, errors.New("a frame other than hello came first")
}

// objection returns why we do not want to talk to somebody, "" if we do.
func (n *Node) objection(s *stream, h *core.Hello) string {
	switch {
	case h.Cluster != n.config.ClusterID:
		return fmt.Sprintf("cluster %q meets cluster %q", n.config.ClusterID, h.Cluster)
	case h.Protocol == 0:
		return "protocol version 0"
	case h.ID == "" || h.Generation == 0:
		return "a node without a name or generation"
	case !s.Proves(h.ID):
		return fmt.Sprintf("the certificate is not that of %q", h.ID)
	}
	return ""
}

// accept takes inbound streams until the node stops.
func (n *Node) accept() {
	for {
		raw, err := n.listener.Accept()
		if n.life.Err() != nil {
			if err == nil {
				_ = raw.Close()
			}
			return
		}
		if err != nil { // out of descriptors, perhaps
			n.log.Warn("cannot accept a stream, trying again", "error", err)
			select {
			case <-n.life.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case n.shakes <- struct{}{}:
			n.tasks.Go(func() { n.receive(raw) })
		default:
			_ = raw.Close()
			n.log.Debug("too many streams that say nothing", "addr", raw.RemoteAddr().String())
		}
	}
}

// receive shakes hands with who dialled us and takes the stream into use with its first frame: who only wants to know
// who lives here sends none.
func (n *Node) receive(raw net.Conn) {
	s, hello, first, err := n.welcome(raw)
	<-n.shakes
	if err != nil {
		n.log.Debug("a stream was turned down", "addr", raw.RemoteAddr().String(), "error", err)
		return
	}
	n.adopt(s, hello, 0, first)
}

func (n *Node) welcome(raw net.Conn) (*stream, *core.Hello, core.Frame, error) {
	ctx, cancel := context.WithTimeout(n.life, acceptTimeout)
	defer cancel()
	conn, err := n.transport.Secure(ctx, raw)
	if err != nil {
		return nil, nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	s := newStream(conn)
	hello, first, err := n.answer(s)
	if err != nil {
		_ = s.Close()
		return nil, nil, nil, err
	}
	return s, hello, first, nil
}

// answer is the handshake of who was dialled, up to the first frame after it.
func (n *Node) answer(s *stream) (*core.Hello, core.Frame, error) {
	f, err := s.reader.Read()
	if err != nil {
		return nil, nil, err
	}
	hello, ok := f.(*core.Hello)
	if !ok {
		return nil, nil, errors.New("a frame other than hello came first")
	}
	if reason := n.objection(s, hello); reason != "" {
		_ = s.write(&core.Refuse{Reason: reason})
		n.log.Warn("a node was refused", "peer", hello.ID, "addr", s.RemoteAddr().String(), "error", reason)
		return nil, nil, errors.New(reason)
	}
	if err := s.write(n.hello()); err != nil {
		return nil, nil, err
	}
	s.reader.Trust()
	first, err := s.reader.Read()
	return hello, first, err
}

// Join calls addresses at which members may live, one after the other, and has those that answered called for ever
// while they are not up. It returns nil when every one belongs to this cluster; an error wraps [ErrSelf],
// [ErrForeign] or what went wrong.
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
		return fmt.Errorf("join %w", err)
	}
	_ = s.Close() // the core dials for itself
	if hello.ID == n.config.Name && hello.Generation == n.generation.Load() {
		return ErrSelf
	}
	return n.tell(ctx, core.Join{Addrs: []string{addr}})
}
