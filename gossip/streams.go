package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Errors of streams between members.
var (
	// ErrNoListener means that the member accepts no streams of the protocol: it has not called [Node.Listen], or has closed the
	// listener.
	ErrNoListener = errors.New("the member does not listen for this protocol")
	// ErrBusy means that the member has no room for one more stream, or that too many wait to be accepted there. Try again later.
	ErrBusy = errors.New("the member has too many streams")
	// ErrNoStreams means that the member runs a version of this package that has no streams.
	ErrNoStreams = errors.New("the member is of a version without streams")
	// ErrProtocolInUse means that this node listens for the protocol already.
	ErrProtocolInUse = errors.New("this node already listens for this protocol")
)

const (
	// defaultMaxStreams is the default of Config.MaxStreams.
	defaultMaxStreams = 1024
	// acceptBacklog is how many streams of one protocol may wait for Accept. A peer whose stream finds no room reads ErrBusy.
	acceptBacklog = 128
	// openProtocolVersion is the version of the wire protocol from which on members understand Open.
	openProtocolVersion = 2
)

// protocols are the listeners of the application's protocols, by name.
type protocols struct {
	mu        sync.Mutex
	listeners map[string]*streamListener
	ended     bool // no listener is added any more
}

// Listen accepts the streams that members open with [Node.Dial] for a protocol, a name of 1 to 64 bytes of printable text that the
// application chooses. The streams come in on the port of the node and are secured as those between the nodes; their other end is a
// node of the cluster, by name ([StreamAddr]). At most 128 streams of a protocol wait for Accept, and Config.MaxStreams inbound
// streams are in use at once; further ones are refused with [ErrBusy].
//
// Accept returns net.ErrClosed after Close of the listener, and when the node has ended. Close leaves accepted streams as they are;
// the end of the node closes them. The error wraps [ErrProtocolInUse] if the node listens for the protocol already.
func (n *Node) Listen(protocol string) (net.Listener, error) {
	if err := checkProtocol(protocol); err != nil {
		return nil, fmt.Errorf("gossip: listen: %w", err)
	}
	p := &n.protocols
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return nil, fmt.Errorf("gossip: listen for %q: %w", protocol, ErrStopped)
	case p.listeners[protocol] != nil:
		return nil, fmt.Errorf("gossip: listen for %q: %w", protocol, ErrProtocolInUse)
	}
	l := &streamListener{node: n, protocol: protocol, backlog: make(chan *memberStream, acceptBacklog), done: make(chan struct{})}
	if p.listeners == nil {
		p.listeners = map[string]*streamListener{}
	}
	p.listeners[protocol] = l
	return l, nil
}

// Dial opens a stream to a member that listens for a protocol: ordered and reliable as TCP, over a connection of its own, secured as
// the streams between the nodes. There is no half-close. A reader that does not read slows down its own stream and no other. The end
// of either node closes the stream, its leaving or removal alone does not.
//
// Dial returns within the deadline of ctx, or Tuning.DialTimeout (3 s) if that is earlier. The error wraps [ErrUnknownMember],
// [ErrNoListener], [ErrBusy], [ErrNoStreams], [ErrStopped] or [ErrRemoved] if this node has ended, or what went wrong with the connection. A node may
// dial itself.
func (n *Node) Dial(ctx context.Context, member, protocol string) (net.Conn, error) {
	c, err := n.dialMember(ctx, member, protocol)
	if err != nil && n.ended.Err() != nil { // what cut it off
		<-n.stopped
		err = n.err
	}
	if err != nil {
		return nil, fmt.Errorf("gossip: dial %q at %q: %w", protocol, member, err)
	}
	return c, nil
}

func (n *Node) dialMember(ctx context.Context, member, protocol string) (net.Conn, error) {
	if err := checkProtocol(protocol); err != nil {
		return nil, err
	}
	m, ok := n.View().Member(member)
	switch {
	case !ok:
		return nil, ErrUnknownMember
	case m.Protocol < openProtocolVersion:
		return nil, ErrNoStreams
	}
	ctx, cancel := context.WithTimeout(ctx, n.tuning.DialTimeout)
	defer cancel()
	defer context.AfterFunc(n.ended, cancel)()
	s, hello, err := n.dialAddr(ctx, m.Addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	if hello.ID != member {
		err = fmt.Errorf("%s: %w: %q", m.Addr, errOtherNode, hello.ID)
	} else {
		err = s.openProtocol(protocol)
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return n.newMemberStream(s, member, nil), nil
}

// openProtocol asks the other side of a fresh stream to use it for a protocol.
func (s *stream) openProtocol(protocol string) error {
	s.trust()
	if err := s.writeFrame(&core.Open{Protocol: protocol}); err != nil {
		return err
	}
	f, err := s.readFrame()
	if err != nil {
		return err
	}
	opened, ok := f.(*core.Opened)
	if !ok {
		return fmt.Errorf("no answer but a %T", f)
	}
	switch opened.Status {
	case core.OpenAccepted:
		return nil
	case core.OpenNoListener:
		return ErrNoListener
	case core.OpenBusy:
		return ErrBusy
	case core.OpenRemoved:
		return ErrRemoved
	}
	return fmt.Errorf("refused with status %d", opened.Status)
}

// acceptOpen answers an Open and hands the stream to the listener of its protocol.
func (n *Node) acceptOpen(s *stream, peer string, open *core.Open) {
	_ = s.SetDeadline(time.Now().Add(acceptTimeout))
	status, l := n.admitOpen(peer, open.Protocol)
	if s.writeFrame(&core.Opened{Status: status}) != nil || status != core.OpenAccepted {
		if l != nil {
			n.memberStreams.release()
		}
		_ = s.Close()
		return
	}
	_ = s.SetDeadline(time.Time{})
	l.offer(n.newMemberStream(s, peer, n.memberStreams.release))
}

// admitOpen decides on an Open of a peer. With OpenAccepted a place of memberStreams is taken.
func (n *Node) admitOpen(peer, protocol string) (core.OpenStatus, *streamListener) {
	n.protocols.mu.Lock()
	l := n.protocols.listeners[protocol]
	n.protocols.mu.Unlock()
	switch {
	case n.isRemoved(peer):
		return core.OpenRemoved, nil
	case l == nil:
		return core.OpenNoListener, nil
	case len(l.backlog) == cap(l.backlog) || !n.memberStreams.acquire():
		return core.OpenBusy, nil
	}
	return core.OpenAccepted, l
}

// closeProtocols closes all listeners: the node has ended.
func (n *Node) closeProtocols() {
	n.protocols.mu.Lock()
	n.protocols.ended = true
	all := n.protocols.listeners
	n.protocols.listeners = nil
	n.protocols.mu.Unlock()
	for _, l := range all {
		l.end()
	}
}

func checkProtocol(name string) error {
	if len(name) == 0 || len(name) > core.MaxProtocol || !printable(name) {
		return fmt.Errorf("protocol %q: want 1 to %d bytes of printable text", name, core.MaxProtocol)
	}
	return nil
}
