package multicast

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// node is a strategy that runs in a bubble, and what it reported.
type node struct {
	*recordingSink
	env      strategy.Env
	strategy *discoverer
	log      *lockedBuffer
	cancel   context.CancelFunc
	done     chan struct{}
	err      error // of Run, when done is closed
}

func newTestNode(name string, addrs ...string) *node {
	n := &node{env: testEnv(name, addrs...), log: new(lockedBuffer)}
	n.env.Log = hclog.New(&hclog.LoggerOptions{Output: n.log, Level: hclog.Debug, DisableTime: true})
	return n
}

func (n *node) start(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	n.recordingSink, n.cancel, n.done = newNotes(), cancel, make(chan struct{})
	go func() {
		defer close(n.done)
		n.err = n.strategy.Run(ctx, n.recordingSink)
	}()
	t.Cleanup(n.stop)
}

// stop ends the strategy and waits for it.
func (n *node) stop() {
	n.cancel()
	<-n.done
}

// crash ends the strategy without an announcement.
func (n *node) crash(h *host) {
	h.change(func() { h.sendErr["eth0"] = errCut })
	n.stop()
	h.change(func() { delete(h.sendErr, "eth0") })
}

// view returns what the last Set had, nil before the first.
func (n *node) view() []peer.Peer {
	synctest.Wait()
	c, _ := last(n.since(0), "set")
	return c.peers
}

func (n *node) dropped(reason string) uint64 {
	synctest.Wait()
	return n.strategy.diagnose().Received[reason]
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
