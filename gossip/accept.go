package gossip

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/wire"
)

const (
	// maxHandshakes bounds the inbound streams that have not said who they are, maxHostHandshakes those of one host: half,
	// so that one host alone shuts out nobody else, and a machine full of nodes can still start at once.
	maxHandshakes     = 256
	maxHostHandshakes = maxHandshakes / 2
	// acceptTimeout is how long such a stream may take in all, however much it says.
	acceptTimeout = 5 * time.Second
	// maxStreams bounds the inbound streams in use. A node has some ten; who is the seed of a whole cluster that starts has
	// one of each member for a moment.
	maxStreams = 4096
	// maxHangUps is how often a node may hang up on us before we say so: once or twice, it was about to stop.
	maxHangUps = 3
	// firstAcceptWait is the pause after a stream could not be accepted; it doubles up to lastAcceptWait.
	firstAcceptWait = 5 * time.Millisecond
	lastAcceptWait  = time.Second
)

// accept takes inbound streams until the node stops.
func (n *Node) accept() {
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
			n.trouble.warn("cannot accept a stream, trying again", "", "error", err)
			select {
			case <-n.life.Done():
			case <-time.After(wait):
			}
			wait = min(2*wait, lastAcceptWait)
			continue
		}
		wait = firstAcceptWait
		n.count.accepted.Add(1)
		host := hostOf(raw.RemoteAddr())
		if !n.shakes.enter(host) {
			_ = raw.Close()
			n.turnedDown(tooMany, host, errors.New("too many that have not said who they are"))
			continue
		}
		n.tasks.Go(func() { n.receive(raw, host) })
	}
}

// receive shakes hands with who dialled us and takes the stream into use with its first frame: who only wants to know
// who lives here sends none.
func (n *Node) receive(raw net.Conn, host string) {
	s, hello, first, err := n.welcome(raw)
	n.shakes.leave(host)
	if err != nil {
		if n.life.Err() == nil {
			n.turnedDown(reasonOf(err), host, err)
		}
		return
	}
	if !n.streams.enter(host) {
		_ = s.Close()
		n.turnedDown(tooMany, host, errors.New("too many in use"))
		return
	}
	defer n.streams.leave(host)
	if ask, ok := first.(*core.Ask); ok {
		n.answerAsk(s, ask)
		return
	}
	n.adopt(s, hello, 0, first)
}

// turnedDown counts a stream that came to nothing, and says so if somebody may have to act.
func (n *Node) turnedDown(why reason, host string, err error) {
	if why == none {
		n.count.probes.Add(1)
		n.log.Trace("a stream ended before it was of use", "addr", host, "error", err)
		return
	}
	n.refused(why, host, err)
}

// refused counts a refusal and says so once in a while.
func (n *Node) refused(why reason, host string, err error) {
	defer n.count.refused[why].Add(1) // whoever sees the number finds the line
	switch {
	case why == self:
		n.log.Debug("a stream led to this node itself", "addr", host)
	case why == silence:
		n.trouble.warnAfter(maxHangUps, "a node hangs up on this one", host, "addr", host, "error", err)
	case why == byPeer:
		n.trouble.warn("a node refused this one", host, "addr", host, "error", err)
	case why == tooMany:
		n.trouble.warn("a stream was closed, there are too many", host, "addr", host, "error", err)
	case why == foreignCluster:
		n.trouble.warn("a node of another cluster was refused", host, "addr", host, "error", err)
	case why == untrusted:
		n.trouble.warn("a node was refused, its key or certificate is not trusted", host, "addr", host, "error", err)
	case why == badProtocol:
		n.trouble.warn("a node was refused, its hello breaks a rule", host, "addr", host, "error", err)
	case timedOut(err):
		n.trouble.warn("a stream was closed, it did not finish its handshake in time", host, "addr", host, "error", err)
	default:
		n.trouble.warn("a stream was closed, it does not speak the protocol", host, "addr", host, "error", err)
	}
}

func (n *Node) welcome(raw net.Conn) (*stream, *core.Hello, core.Frame, error) {
	ctx, cancel := context.WithTimeout(n.life, acceptTimeout)
	defer cancel()
	conn, err := n.transport.Secure(ctx, raw)
	if err != nil {
		return nil, nil, nil, err
	}
	s := n.newStream(conn)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	hello, first, err := n.answer(s)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, nil, nil, err
	}
	return s, hello, first, nil
}

// answer is the handshake of who was dialled, up to the first frame after it.
func (n *Node) answer(s *stream) (*core.Hello, core.Frame, error) {
	f, err := s.read()
	if errors.Is(err, wire.ErrMalformed) { // TLS or a pre-shared key, perhaps: whatever it is, it learns that we have another opinion
		_ = s.write(&core.Refuse{Reason: "this is no frame of the protocol; this node uses no TLS and no pre-shared key, or another"})
	}
	if err != nil {
		return nil, nil, err
	}
	hello, ok := f.(*core.Hello)
	if !ok {
		return nil, nil, errNoHello
	}
	if r := n.objection(s, hello); r != nil {
		_ = s.write(&core.Refuse{Reason: r.said})
		return nil, nil, r
	}
	if err := s.write(n.hello()); err != nil {
		return nil, nil, &refusal{reason: none, err: err}
	}
	s.reader.Trust()
	first, err := s.read()
	if err != nil && !errors.Is(err, wire.ErrMalformed) && !timedOut(err) {
		err = &refusal{reason: none, err: err} // it knows who we are, and that was all it wanted
	}
	if r, ok := first.(*core.Refuse); ok {
		err = refuse(byPeer, "the other side says %q", r.Reason)
	}
	return hello, first, err
}
