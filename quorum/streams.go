package quorum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/internal/ratelog"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

const (
	// protocol is the name of the streams between the members' quorum parts. The number is that of the frames.
	protocol = "convoke-quorum/1"
	// maxAccepted bounds the streams that one member has opened to this one: the newest stays, as a restarted process has lost the others.
	maxAccepted = 4
	// redialLeast and redialMost are the pauses after dials that failed.
	redialLeast = 20 * time.Millisecond
	redialMost  = 2 * time.Second
)

// streams are the connections with other members. A frame goes over the stream that a member opened, or over one that is opened for it:
// mostly there is one between two members, whoever opened it. Everything sent to a member goes over one stream as long as that lives, so frames arrive in
// order.
type streams struct {
	node     *gossip.Node
	log      hclog.Logger
	listener net.Listener
	received func(from string, f core.Frame) bool // blocks when the loop is behind; false ends the stream
	down     func(peer string)                    // frames to peer were lost
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
	limiter  ratelog.Limiter

	mu    sync.Mutex
	peers map[string]*peerStreams
}

// peerStreams are the streams with one member.
type peerStreams struct {
	out      *stream   // what is sent goes here; nil: none
	accepted []*stream // opened by the member, out perhaps among them; the oldest first
	failures int       // dials in a row that failed
	notUntil time.Time // no dial before
}

// listenStreams accepts streams. Nothing is taken in before start.
func listenStreams(node *gossip.Node, log hclog.Logger) (*streams, error) {
	l, err := node.Listen(protocol)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &streams{node: node, log: log, listener: l, ctx: ctx, cancel: cancel, peers: map[string]*peerStreams{},
		limiter: ratelog.Limiter{Every: time.Minute}}, nil
}

func (t *streams) start() { t.running.Go(t.accept) }

// close ends all streams and waits for what serves them.
func (t *streams) close() {
	t.cancel()
	_ = t.listener.Close() // always nil
	t.closeAll()
	t.running.Wait()
}

// closeAll ends all streams; new ones are opened when something is sent.
func (t *streams) closeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.peers {
		p.close()
	}
}

// drop ends the streams with a member, because it is down.
func (t *streams) drop(peer string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.peers[peer]; p != nil {
		p.close()
	}
}

func (p *peerStreams) close() {
	if p.out != nil {
		p.out.close()
	}
	for _, s := range p.accepted {
		s.close()
	}
}

// send sends a frame to a member; false if it is lost already.
func (t *streams) send(peer string, f core.Frame) bool {
	t.mu.Lock()
	p := t.peers[peer]
	if p == nil {
		p = &peerStreams{}
		t.peers[peer] = p
	}
	if p.out == nil && time.Now().Before(p.notUntil) {
		t.mu.Unlock()
		return false
	}
	s := p.out
	if s == nil {
		s = newStream(peer)
		p.out = s
		t.running.Go(func() { t.dial(s) })
	}
	t.mu.Unlock()
	return s.send(f)
}

// dial opens a stream and serves it.
func (t *streams) dial(s *stream) {
	conn, err := t.node.Dial(t.ctx, s.peer, protocol)
	t.noteDial(s.peer, err)
	if err != nil || !s.attach(conn) {
		s.close()
		t.ended(s)
		return
	}
	t.serve(s)
}

// noteDial notes how a dial ended, for the pause before the next.
func (t *streams) noteDial(peer string, err error) {
	t.mu.Lock()
	p := t.peers[peer]
	if err == nil {
		p.failures = 0
		t.mu.Unlock()
		return
	}
	p.failures++
	p.notUntil = time.Now().Add(backoff.Jitter(nil, backoff.Doubling(redialLeast, redialMost, p.failures), 0.2))
	t.mu.Unlock()
	if t.ctx.Err() == nil && t.limiter.Allow(peer, time.Now()) {
		t.log.Debug("cannot open a stream of the quorum", "member", peer, "err", dialProblem(err))
	}
}

// accept takes in the streams that members open.
func (t *streams) accept() {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			return // closed, or the node has ended
		}
		addr, ok := conn.RemoteAddr().(gossip.StreamAddr)
		s := newStream(addr.Member)
		if !ok || !s.attach(conn) || !t.admit(s) {
			s.close()
			continue
		}
		t.running.Go(func() { t.serve(s) })
	}
}

// admit notes an accepted stream; false at the end.
func (t *streams) admit(s *stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return false
	}
	p := t.peers[s.peer]
	if p == nil {
		p = &peerStreams{}
		t.peers[s.peer] = p
	}
	p.failures, p.notUntil = 0, time.Time{} // it lives
	if p.out == nil {
		p.out = s
	}
	p.accepted = append(p.accepted, s)
	if len(p.accepted) > maxAccepted {
		p.accepted[0].close()
	}
	return true
}

// serve reads and writes until the stream has ended.
func (t *streams) serve(s *stream) {
	t.running.Go(s.write)
	err := s.read(func(f core.Frame) bool { return t.received(s.peer, f) })
	if err != nil && t.limiter.Allow("malformed "+s.peer, time.Now()) {
		t.log.Warn("a member sent what is no frame of the quorum; its stream is closed", "member", s.peer, "err", err)
	}
	t.ended(s)
}

// ended forgets a stream and reports what was lost with it.
func (t *streams) ended(s *stream) {
	t.mu.Lock()
	p := t.peers[s.peer]
	lost := p.out == s
	if lost {
		p.out = nil
	}
	for i, o := range p.accepted {
		if o == s {
			p.accepted = append(p.accepted[:i], p.accepted[i+1:]...)
			break
		}
	}
	if p.out == nil && len(p.accepted) > 0 {
		p.out = p.accepted[len(p.accepted)-1]
	}
	if p.out == nil && p.failures == 0 && len(p.accepted) == 0 {
		delete(t.peers, s.peer)
	}
	t.mu.Unlock()
	if lost {
		t.down(s.peer)
	}
}

// forget drops what is known of members that are gone, so that the table does not grow with names.
func (t *streams) forget(gone func(peer string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, p := range t.peers {
		if p.out == nil && len(p.accepted) == 0 && gone(name) {
			delete(t.peers, name)
		}
	}
}

// dialProblem returns why a stream with a member cannot be opened, in words.
func dialProblem(err error) string {
	switch {
	case errors.Is(err, gossip.ErrNoListener), errors.Is(err, gossip.ErrNoStreams):
		return "the member runs no quorum"
	case errors.Is(err, gossip.ErrBusy):
		return "the member has too many streams"
	}
	return fmt.Sprint(err)
}

// rejected logs that something which a member sent broke a rule and was dropped.
func (t *streams) rejected(r core.Rejected) {
	if t.limiter.Allow("rejected "+r.Peer, time.Now()) {
		t.log.Warn("dropped what a member sent to the quorum", "member", r.Peer, "reason", r.Reason)
	}
}
