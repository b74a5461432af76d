package gossip

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
)

const (
	// acceptTimeout is how long an inbound handshake may take in all, however much the peer sends.
	acceptTimeout = 5 * time.Second
	// refuseTimeout bounds the write of a Refuse that ends a stream. It fits into the buffer of a new one.
	refuseTimeout = 100 * time.Millisecond
	// maxStreams bounds the inbound streams in use. A node has some ten; one that is the seed of a whole cluster that starts has
	// one of each member for a moment.
	maxStreams = 4096
	// maxHangUps is how often a node may close connections to us before we log it: once or twice, it was about to stop.
	maxHangUps = 3
	// firstAcceptWait is the pause after a stream could not be accepted; it doubles up to lastAcceptWait.
	firstAcceptWait = 5 * time.Millisecond
	lastAcceptWait  = time.Second
	// hostsMaxAge is how long the hosts of members are remembered; see memberHosts.
	hostsMaxAge = time.Second
)

// acceptStreams takes inbound streams until the node stops.
func (n *Node) acceptStreams() {
	wait := firstAcceptWait
	for {
		raw, err := n.listener.Accept()
		if n.life.Err() != nil {
			if err == nil {
				_ = raw.Close()
			}
			return
		}
		if err != nil { // out of descriptors, perhaps
			n.count.acceptErrors.Add(1)
			n.warnings.warn("cannot accept a stream, trying again", "", "error", err)
			select {
			case <-n.life.Done():
			case <-time.After(wait):
			}
			wait = min(2*wait, lastAcceptWait)
			continue
		}
		wait = firstAcceptWait
		n.count.accepted.Add(1)
		n.tasks.Go(func() { n.receiveStream(raw) })
	}
}

// receiveStream runs the handshake with a node that dialled us and takes the stream into use with its first frame: a peer that only wants
// to know which node this is sends none.
func (n *Node) receiveStream(raw net.Conn) {
	host := hostOf(raw.RemoteAddr())
	ctx, place, err := n.handshakes.enter(n.life, host, n.hosts.has(host, n))
	if err != nil {
		n.refuseRaw(raw, err)
		n.countFailure(host, err)
		return
	}
	left := sync.OnceFunc(func() { n.handshakes.leave(place) })
	defer left() // when the loop has taken the stream, so that no more newcomers are let in than it can take
	s, hello, first, err := n.acceptHandshake(ctx, raw)
	if err != nil {
		n.countFailure(host, err)
		return
	}
	if open, ok := first.(*core.Open); ok {
		n.acceptOpen(s, hello.ID, open)
		return
	}
	if !n.streams.acquire() {
		_ = s.SetWriteDeadline(time.Now().Add(refuseTimeout))
		_ = s.writeFrame(busyRefusal)
		_ = s.Close()
		n.countFailure(host, errStreams)
		return
	}
	if ask, ok := first.(*core.Ask); ok {
		defer n.streams.release()
		left()
		n.answerAsk(s, ask)
		return
	}
	n.adoptStream(s, hello, 0, first, n.streams.release)
}

var (
	busyRefusal = &core.Refuse{Reason: "busy, try again: too many streams at once"}
	errStreams  = errors.New("too many streams in use")
)

// refuseRaw closes a stream that had no handshake, with a reason if streams are not secured: a peer that wants TLS or a pre-shared
// key could not read it.
func (n *Node) refuseRaw(raw net.Conn, why error) {
	if p, ok := n.transport.(interface{ Plain() bool }); ok && p.Plain() && errors.Is(why, errBusy) {
		if b, err := wire.Append(nil, busyRefusal); err == nil {
			_ = raw.SetDeadline(time.Now().Add(refuseTimeout))
			_, _ = raw.Write(b)
			_, _ = io.CopyN(io.Discard, raw, wire.MaxHandshake) // closed with bytes unread, it could lose the reason
		}
	}
	_ = raw.Close()
}

// countFailure counts a handshake that failed, and logs it if an operator may have to act.
func (n *Node) countFailure(host string, err error) {
	if n.life.Err() != nil {
		return // it failed because this node ends
	}
	why := reasonOf(err)
	if why == none {
		n.count.probes.Add(1)
		n.log.Trace("a stream ended before it was of use", "addr", host, "error", err)
		return
	}
	n.countRejected(why, host, err)
}

// countRejected counts a stream that one side rejected and logs it once in a while.
func (n *Node) countRejected(why reason, host string, err error) {
	defer n.count.rejected[why].Add(1)
	switch {
	case why == self:
		n.log.Debug("a stream led to this node itself", "addr", host)
	case why == hungUp:
		n.warnings.warnAfter(maxHangUps, "peer closes connections during handshake", host, "addr", host, "error", err)
	case why == byPeer:
		n.warnings.warn("peer rejected this node", host, "addr", host, "error", err)
	case why == tooMany:
		n.warnings.warn("rejected a stream: too many at once", host, "addr", host, "error", err)
	case why == foreignCluster:
		n.warnings.warn("rejected a node of another cluster", host, "addr", host, "error", err)
	case why == untrusted:
		n.warnings.warn("rejected a node: its key or certificate is not trusted", host, "addr", host, "error", err)
	case why == badHello:
		n.warnings.warn("rejected a node: its hello breaks a rule", host, "addr", host, "error", err)
	case why == otherProtocol:
		n.warnings.warn("rejected a node of another protocol version", host, "addr", host, "error", err)
	case isTimeout(err):
		n.warnings.warn("closed a stream: it did not finish its handshake in time", host, "addr", host, "error", err)
	default:
		n.warnings.warn("closed a stream: it does not speak the protocol", host, "addr", host, "error", err)
	}
}

// acceptHandshake secures a raw stream and exchanges hellos, up to the first frame after them. The stream is closed if that fails.
func (n *Node) acceptHandshake(ctx context.Context, raw net.Conn) (*stream, *core.Hello, core.Frame, error) {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	conn, err := n.transport.Secure(ctx, raw)
	if err != nil {
		return nil, nil, nil, err
	}
	s := n.newStream(conn)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	hello, first, err := n.answerHello(s)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, nil, nil, err
	}
	return s, hello, first, nil
}

// answerHello is the acceptor's side of the exchange of hellos, up to the first frame after it.
func (n *Node) answerHello(s *stream) (*core.Hello, core.Frame, error) {
	f, err := s.readFrame()
	if errors.Is(err, wire.ErrMalformed) { // TLS or a pre-shared key, perhaps: the peer learns that this node does not use it
		_ = s.writeFrame(&core.Refuse{Reason: "not a frame of the protocol; this node uses no TLS and no pre-shared key, or another"})
	}
	if err != nil {
		return nil, nil, err
	}
	hello, ok := f.(*core.Hello)
	if !ok {
		return nil, nil, errNoHello
	}
	if r := n.checkHello(s, hello); r != nil {
		_ = s.writeFrame(&core.Refuse{Reason: r.sent})
		return nil, nil, r
	}
	if err := s.writeFrame(n.newHello()); err != nil {
		return nil, nil, &rejection{reason: none, err: err}
	}
	s.greeted = time.Now()
	s.trust()
	first, err := s.readFrame()
	if err != nil && !errors.Is(err, wire.ErrMalformed) && !isTimeout(err) {
		err = &rejection{reason: none, err: err} // it knows which node this is, and wanted nothing else
	}
	if r, ok := first.(*core.Refuse); ok {
		err = reject(byPeer, "the other side answered %q", r.Reason)
	}
	return hello, first, err
}

// memberHosts remembers for hostsMaxAge the hosts at which members are known to live.
type memberHosts struct {
	mu    sync.Mutex
	hosts map[string]struct{} // nil: none are remembered
}

// has reports whether a member that n knows lives at a host. The answer may be hostsMaxAge old.
func (m *memberHosts) has(host string, n *Node) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hosts == nil {
		m.hosts = map[string]struct{}{}
		time.AfterFunc(hostsMaxAge, m.forget)
		for _, addr := range n.memberAddrs() {
			m.hosts[hostOf(tcpAddr(addr))] = struct{}{}
		}
	}
	_, ok := m.hosts[host]
	return ok
}

func (m *memberHosts) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hosts = nil
}
