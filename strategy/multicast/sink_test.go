package multicast

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// call is one call of a sink.
type call struct {
	at    time.Time
	kind  string // "set", "add" or "fail"
	peers []peer.Peer
	err   error
}

// recordingSink is a sink that writes everything down.
type recordingSink struct {
	mu    sync.Mutex
	calls []call
	more  chan struct{} // closed and replaced at each call
}

func newNotes() *recordingSink { return &recordingSink{more: make(chan struct{})} }

func (n *recordingSink) Set(all []peer.Peer)  { n.record(call{kind: "set", peers: all}) }
func (n *recordingSink) Add(some []peer.Peer) { n.record(call{kind: "add", peers: some}) }
func (n *recordingSink) Fail(err error)       { n.record(call{kind: "fail", err: err}) }

func (n *recordingSink) record(c call) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c.at = time.Now()
	n.calls = append(n.calls, c)
	close(n.more)
	n.more = make(chan struct{})
}

// since returns the calls from the i-th on.
func (n *recordingSink) since(i int) []call {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.calls[i:])
}

func (n *recordingSink) count() int { return len(n.since(0)) }

// await waits until a peer was reported.
func (n *recordingSink) await(ctx context.Context, p peer.Peer) error {
	for {
		n.mu.Lock()
		more, found := n.more, slices.ContainsFunc(n.calls, func(c call) bool { return slices.Contains(c.peers, p) })
		n.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("%v was not reported; calls: %v", p, n.since(0))
		}
	}
}

// last returns the last call of a kind, and whether there was one.
func last(calls []call, kind string) (call, bool) {
	for _, c := range slices.Backward(calls) {
		if c.kind == kind {
			return c, true
		}
	}
	return call{}, false
}

func testKey(n byte) strategy.Key {
	var k strategy.Key
	text := strings.Repeat(string('A'+rune(n)), 42) + "E="
	if err := k.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return k
}

// testEnv is the environment of a node of cluster "orders"; no addrs: it does not know its own.
func testEnv(node string, addrs ...string) strategy.Env {
	return strategy.Env{
		Log:       hclog.NewNullLogger(),
		ClusterID: "orders",
		Self: func() []peer.Peer {
			var all []peer.Peer
			for _, a := range addrs {
				all = append(all, peer.Peer{ID: node, Addr: a})
			}
			return all
		},
		Rand:     rand.New(rand.NewPCG(1, uint64(len(node)))),
		Resolver: noResolver{},
	}
}

type noResolver struct{}

func (noResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, fmt.Errorf("no such host %s", host)
}

func netAddrPort(c Config) netip.AddrPort {
	return netip.AddrPortFrom(c.groups()[v4], uint16(c.Port))
}

// startReal runs a strategy over the kernel's sockets; the function returned stops it and waits.
func startReal(ctx context.Context, t *testing.T, c Config, node, addr string) (*recordingSink, func()) {
	t.Helper()
	s := strategytest.New(t, Kind, c, testEnv(node, addr))
	ctx, cancel := context.WithCancel(ctx)
	out, done := newNotes(), make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx, out)
	}()
	return out, func() {
		cancel()
		<-done
	}
}
