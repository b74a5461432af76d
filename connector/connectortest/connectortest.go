// Package connectortest checks connectors, and offers one to test with: [Run] runs the rules of
// [connector.Connector] against an implementation, and [Mesh] is a connector in memory whose
// failures are scripted.
package connectortest

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// Subject is the connector to check. Only New is required: a check that needs a function which is
// nil is skipped with a message. Checks run one after another, each with a connector of its own.
type Subject struct {
	// New returns a fresh connector. One that is a [connector.Runner] must not run yet: the suite runs it.
	New func(t testing.TB) connector.Connector

	// Peer returns a peer that c can connect to and that was not returned before; c may not run yet.
	// What it starts it also ends, with t.Cleanup.
	Peer func(t testing.TB, c connector.Connector) peer.Peer
	// Inbound makes a peer connect to c, without a call of Connect, and returns the peer as a strategy would name it: by the
	// address at which it can be dialled or by its ID. What it starts it also ends, with t.Cleanup.
	Inbound func(t testing.TB, c connector.Connector) peer.Peer
	// Drop makes a connected peer go away, as if it left or died.
	Drop func(t testing.TB, c connector.Connector, p peer.Peer)
	// Foreign returns a peer of another cluster.
	Foreign func(t testing.TB, c connector.Connector) peer.Peer
	// Hanging returns a peer that never answers. Outside a bubble, nil means a TCP listener
	// that accepts and stays silent.
	Hanging func(t testing.TB, c connector.Connector) peer.Peer
	// Refused returns a peer that cannot be reached. Outside a bubble, nil means a TCP port where no server listens.
	Refused func(t testing.TB, c connector.Connector) peer.Peer
	// Self returns the address of c itself. Nil means what a [connector.SelfReporter] returns.
	Self func(t testing.TB, c connector.Connector) peer.Peer

	// Bubble runs each check in a testing/synctest bubble. It suits a connector without real sockets.
	Bubble bool
	// Patience bounds the wait for everything that must happen; 0 means 30 s.
	Patience time.Duration
}

// check is one rule.
type check struct {
	name string
	run  func(*fixture)
}

// checks returns all rules.
func checks() []check {
	return []check{
		{"Connect connects", checkConnect},
		{"List shows a connected peer under its address or its ID", listsWhatItConnected},
		{"List shows a peer that connected by itself under its address or its ID", listsInbound},
		{"Connect is idempotent", connectsOnce},
		{"Connect returns soon after its ctx is done", connectHonoursContext},
		{"Connect to a refused address is an error", checkRefused},
		{"Connect to the own address is ErrSelf", ownAddress},
		{"Connect to another cluster is ErrForeign", checkForeignDrop},
		{"Disconnect is idempotent", disconnectsOnce},
		{"Disconnect of an unknown peer is not an error", disconnectUnknown},
		{"List is without this node", listWithoutSelf},
		{"List is canonical and names no peer twice", listCanonical},
		{"every call returns when its ctx is done already", doneContext},
		{"calls at once are safe", atOnce},
		{"Changes wakes when a peer comes", wakesOnJoin},
		{"Changes wakes when a peer connects by itself", wakesOnInbound},
		{"Changes wakes when a peer goes", wakesOnLoss},
		{"List is an error before Run", listBeforeRun},
		{"List is an error after Run", listAfterRun},
		{"no method panics before Run", quietBeforeRun},
		{"no method panics after Run", quietAfterRun},
		{"Run blocks until its ctx is done", runBlocks},
		{"Run leaves no goroutine behind", noGoroutines},
	}
}

// Run checks a connector: each rule is a subtest that is named like the rule.
func Run(t *testing.T, s Subject) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, s, func(t *testing.T) { c.run(newRig(t, s)) })
		})
	}
}

// inBubble calls f, in a bubble if the subject asks for one.
func inBubble(t *testing.T, s Subject, f func(*testing.T)) {
	if s.Bubble {
		synctest.Test(t, f)
		return
	}
	f(t)
}

// soon is how long a call may go on after its ctx is done. It is generous: a machine may be busy.
const soon = 3 * time.Second

// fixture is a connector under check.
type fixture struct {
	testing.TB
	s Subject
	c connector.Connector
}

func newRig(t testing.TB, s Subject) *fixture {
	t.Helper()
	if s.New == nil {
		t.Fatal("Subject.New is nil")
	}
	if s.Patience == 0 {
		s.Patience = 30 * time.Second
	}
	return &fixture{TB: t, s: s, c: s.New(t)}
}

// start runs a connector that has a life and waits until it lists. The function it returns ends Run, waits
// for it and may be called again; it is called when the check ends.
func (r *fixture) start() (stop func()) {
	r.Helper()
	runner, ok := r.c.(connector.Runner)
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = runner.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(r.s.Patience):
			r.Errorf("Run has not returned %v after its ctx was done", r.s.Patience)
		}
	})
	r.Cleanup(stop)
	r.eventually("List works after Run was called", func() bool {
		_, err := r.c.List(r.Context())
		return err == nil
	})
	return stop
}

// eventually waits for a condition that must come true.
func (r *fixture) eventually(what string, ok func() bool) {
	r.Helper()
	if !r.waitFor(ok) {
		r.Fatalf("not within %v: %s", r.s.Patience, what)
	}
}

// waitFor reports whether a condition comes true in time.
func (r *fixture) waitFor(ok func() bool) bool {
	r.Helper()
	late := time.After(r.s.Patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			return false
		case <-tick.C:
		}
	}
	return true
}

// returnsWithin calls f and reports whether it returned within d. One that did not is awaited at the end of the check.
func (r *fixture) returnsWithin(d time.Duration, f func()) bool {
	r.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	r.Cleanup(func() {
		select {
		case <-done:
		case <-time.After(r.s.Patience):
		}
	})
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// connectPeer connects a fresh peer and waits until it is listed.
func (r *fixture) connectPeer() peer.Peer {
	r.Helper()
	p := r.newPeer()
	if err := r.connectTo(p); err != nil {
		r.Fatalf("Connect(%v) = %v", p, err)
	}
	r.isListed(p)
	return p
}

func (r *fixture) connectTo(p peer.Peer) error {
	ctx, cancel := context.WithTimeout(r.Context(), r.s.Patience)
	defer cancel()
	return r.c.Connect(ctx, p)
}

// listPeers returns the connected peers; an error ends the check.
func (r *fixture) listPeers() []peer.Peer {
	r.Helper()
	all, err := r.c.List(r.Context())
	if err != nil {
		r.Fatalf("List() = %v", err)
	}
	return all
}

// countListed returns how often a peer is listed, under its address or its ID.
func (r *fixture) countListed(p peer.Peer) int {
	r.Helper()
	n := 0
	for _, q := range r.listPeers() {
		if q.Addr == p.Addr || p.ID != "" && q.ID == p.ID {
			n++
		}
	}
	return n
}

// isListed waits until a peer that was connected is listed.
func (r *fixture) isListed(p peer.Peer) {
	r.Helper()
	if !r.waitFor(func() bool { return r.countListed(p) == 1 }) {
		r.Fatalf("Connect(%v) = nil, and within %v List() shows neither that address nor that ID once, but %v: "+
			"return the peer under the Addr or the ID that Connect got", p, r.s.Patience, r.listPeers())
	}
}

func (r *fixture) newPeer() peer.Peer {
	r.Helper()
	return r.callOrFallback("Peer", r.s.Peer, nil)
}

// callOrFallback calls a function of the subject, or the fallback outside a bubble; with neither the check is skipped.
func (r *fixture) callOrFallback(name string, f, fallback func(testing.TB, connector.Connector) peer.Peer) peer.Peer {
	r.Helper()
	switch {
	case f != nil:
		return f(r, r.c)
	case fallback != nil && !r.s.Bubble:
		return fallback(r, r.c)
	}
	r.Skipf("Subject.%s is nil", name)
	return peer.Peer{}
}

// selfAddrs returns the addresses of the connector itself; none are known if it is nil.
func (r *fixture) selfAddrs() []peer.Peer {
	if r.s.Self != nil {
		return []peer.Peer{r.s.Self(r, r.c)}
	}
	if sr, ok := r.c.(connector.SelfReporter); ok {
		return slices.Clone(sr.Self())
	}
	return nil
}

func (r *fixture) isGossiper() bool {
	g, ok := r.c.(connector.Gossiper)
	return ok && g.Gossips()
}

// silentPeer is a TCP listener that accepts and never answers.
func silentPeer(t testing.TB, _ connector.Connector) peer.Peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the kernel completes the handshakes, no process accepts them
	return peer.Peer{Addr: l.Addr().String()}
}

// closedPort is an address where no server listens.
func closedPort(t testing.TB, _ connector.Connector) peer.Peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return peer.Peer{Addr: l.Addr().String()}
}
