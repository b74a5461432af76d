package connectortest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// stranger is a peer that was never connected; the address is reserved for documentation.
var stranger = peer.Peer{Addr: "192.0.2.77:7946", ID: "stranger"}

func checkConnect(r *fixture) {
	r.start()
	r.connectPeer()
}

// listsWhatItConnected connects several peers: a list that takes one for another passes with one.
func listsWhatItConnected(r *fixture) {
	r.start()
	peers := []peer.Peer{r.connectPeer(), r.connectPeer(), r.connectPeer()}
	for _, p := range peers {
		r.isListed(p)
	}
}

// listsInbound is for connectors that list the remote end of an accepted connection, whose port no strategy ever names: the peer
// would be dialled although it is connected.
func listsInbound(r *fixture) {
	r.start()
	p := r.callOrFallback("Inbound", r.s.Inbound, nil)
	if !r.waitFor(func() bool { return r.countListed(p) == 1 }) {
		r.Fatalf("%v connected by itself, and within %v List() shows neither that address nor that ID once, but %v: "+
			"exchange the address at which a node listens, or its ID, when a connection is accepted", p, r.s.Patience, r.listPeers())
	}
	if err := r.connectTo(p); err != nil {
		r.Errorf("Connect(%v), which connected by itself, = %v, want nil", p, err)
	}
	if n := r.countListed(p); n != 1 {
		r.Errorf("%v is listed %d times after it connected by itself and Connect was called, want once", p, n)
	}
}

func wakesOnInbound(r *fixture) {
	changes := r.requireChanges()
	r.start()
	drainWakeUp(changes)
	r.callOrFallback("Inbound", r.s.Inbound, nil)
	r.awaitWakeUp(changes, "a peer connected by itself")
}

func connectsOnce(r *fixture) {
	r.start()
	p := r.connectPeer()
	if err := r.connectTo(p); err != nil {
		r.Errorf("second Connect(%v) = %v, want nil", p, err)
	}
	if n := r.countListed(p); n != 1 {
		r.Errorf("%v is listed %d times after two Connects, want once", p, n)
	}
}

func connectHonoursContext(r *fixture) {
	r.start()
	p := r.callOrFallback("Hanging", r.s.Hanging, silentPeer)
	ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
	defer cancel()
	var err error
	if !r.returnsWithin(soon, func() { err = r.c.Connect(ctx, p) }) {
		r.Fatalf("Connect(%v) has not returned %v after its ctx was done", p, soon)
	}
	if err == nil {
		r.Errorf("Connect(%v), which never answers, = nil, want an error", p)
	}
}

func checkRefused(r *fixture) {
	r.start()
	p := r.callOrFallback("Refused", r.s.Refused, closedPort)
	if err := r.connectTo(p); err == nil {
		r.Errorf("Connect(%v), which refuses, = nil, want an error", p)
	}
	if r.countListed(p) != 0 {
		r.Errorf("%v is listed although it refused", p)
	}
}

func ownAddress(r *fixture) {
	r.start()
	self := r.selfAddrs()
	if len(self) == 0 {
		r.Skipf("Subject.Self is nil and the connector reports no address of its own")
	}
	if err := r.connectTo(self[0]); !errors.Is(err, connector.ErrSelf) {
		r.Errorf("Connect(%v), the own address, = %v, want ErrSelf", self[0], err)
	}
	if r.countListed(self[0]) != 0 {
		r.Errorf("the own address %v is listed", self[0])
	}
}

func checkForeignDrop(r *fixture) {
	r.start()
	p := r.callOrFallback("Foreign", r.s.Foreign, nil)
	if err := r.connectTo(p); !errors.Is(err, connector.ErrForeign) {
		r.Errorf("Connect(%v), of another cluster, = %v, want ErrForeign", p, err)
	}
	if r.countListed(p) != 0 {
		r.Errorf("%v of another cluster is listed", p)
	}
}

func disconnectsOnce(r *fixture) {
	r.start()
	p := r.connectPeer()
	for _, which := range []string{"first", "second"} {
		if err := r.c.Disconnect(r.Context(), p); err != nil {
			r.Errorf("%s Disconnect(%v) = %v, want nil", which, p, err)
		}
	}
	if !r.isGossiper() {
		r.eventually(fmt.Sprintf("%v is not listed after Disconnect", p), func() bool { return r.countListed(p) == 0 })
	}
}

func disconnectUnknown(r *fixture) {
	r.start()
	if err := r.c.Disconnect(r.Context(), stranger); err != nil {
		r.Errorf("Disconnect(%v), which was never connected, = %v, want nil", stranger, err)
	}
}

func listWithoutSelf(r *fixture) {
	r.start()
	if r.s.Peer != nil {
		r.connectPeer()
	}
	self := r.selfAddrs()
	if len(self) == 0 {
		r.Skipf("Subject.Self is nil and the connector reports no address of its own")
	}
	for _, p := range self {
		if r.countListed(p) != 0 {
			r.Errorf("List() holds this node, %v", p)
		}
	}
}

func listCanonical(r *fixture) {
	r.start()
	r.connectPeer()
	r.connectPeer()
	seen := make(map[string]bool)
	for _, p := range r.listPeers() {
		if addr, err := peer.Addr(p.Addr); err != nil || addr != p.Addr {
			r.Errorf("List() holds %q, want it as peer.Addr writes it: %q, %v", p.Addr, addr, err)
		}
		if seen[p.Addr] {
			r.Errorf("List() holds %s twice", p.Addr)
		}
		seen[p.Addr] = true
	}
}

func doneContext(r *fixture) {
	r.start()
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	for _, c := range allCalls(r.c, ctx, stranger) {
		if !r.returnsWithin(soon, c.run) {
			r.Errorf("%s has not returned %v after its ctx was done", c.name, soon)
		}
	}
}

// atOnce is for the race detector, and for a connector that locks itself up.
func atOnce(r *fixture) {
	r.start()
	peers := []peer.Peer{r.newPeer(), r.newPeer(), r.newPeer(), r.newPeer()}
	all := func() {
		var wg sync.WaitGroup
		for _, p := range peers {
			wg.Go(func() {
				for range 3 {
					_ = r.connectTo(p)
					_, _ = r.c.List(r.Context())
					_ = r.c.Disconnect(r.Context(), p)
				}
				if err := r.connectTo(p); err != nil {
					r.Errorf("Connect(%v) among others = %v", p, err)
				}
			})
		}
		wg.Wait()
	}
	if !r.returnsWithin(r.s.Patience, all) {
		r.Fatalf("calls at once have not returned within %v", r.s.Patience)
	}
	for _, p := range peers {
		r.eventually(fmt.Sprintf("%v is listed", p), func() bool { return r.countListed(p) == 1 })
	}
}

func wakesOnJoin(r *fixture) {
	changes := r.requireChanges()
	r.start()
	p := r.newPeer()
	drainWakeUp(changes)
	if err := r.connectTo(p); err != nil {
		r.Fatalf("Connect(%v) = %v", p, err)
	}
	r.awaitWakeUp(changes, "a peer came")
}

func wakesOnLoss(r *fixture) {
	changes := r.requireChanges()
	if r.s.Drop == nil {
		r.Skipf("Subject.Drop is nil")
	}
	r.start()
	p := r.connectPeer()
	drainWakeUp(changes)
	r.s.Drop(r, r.c, p)
	r.awaitWakeUp(changes, "a peer went")
	r.eventually(fmt.Sprintf("%v is not listed after it went", p), func() bool { return r.countListed(p) == 0 })
}

// requireChanges returns the channel of a notifier; others skip the check.
func (r *fixture) requireChanges() <-chan struct{} {
	r.Helper()
	n, ok := r.c.(connector.Notifier)
	if !ok {
		r.Skipf("the connector has no method Changes")
		return nil
	}
	return n.Changes()
}

func (r *fixture) awaitWakeUp(changes <-chan struct{}, when string) {
	r.Helper()
	select {
	case _, open := <-changes:
		if !open {
			r.Errorf("Changes is closed, want it open for ever")
		}
	case <-time.After(r.s.Patience):
		r.Errorf("Changes did not wake within %v when %s", r.s.Patience, when)
	}
}

// drainWakeUp takes a wake-up that waits already.
func drainWakeUp(changes <-chan struct{}) {
	select {
	case <-changes:
	default:
	}
}

// methodCall is one method call on a connector.
type methodCall struct {
	name string
	run  func()
}

// allCalls returns a call of every method that c has, optional ones too.
func allCalls(c connector.Connector, ctx context.Context, p peer.Peer) []methodCall {
	all := []methodCall{
		{"Connect", func() { _ = c.Connect(ctx, p) }},
		{"Disconnect", func() { _ = c.Disconnect(ctx, p) }},
		{"List", func() { _, _ = c.List(ctx) }},
	}
	if n, ok := c.(connector.Notifier); ok {
		all = append(all, methodCall{"Changes", func() { n.Changes() }})
	}
	if g, ok := c.(connector.Gossiper); ok {
		all = append(all, methodCall{"Gossips", func() { g.Gossips() }})
	}
	if s, ok := c.(connector.SelfReporter); ok {
		all = append(all, methodCall{"Self", func() { s.Self() }})
	}
	if l, ok := c.(connector.Leaver); ok {
		all = append(all, methodCall{"Leave", func() { _ = l.Leave(ctx) }}, methodCall{"Leave again", func() { _ = l.Leave(ctx) }})
	}
	return all
}
