package multicast

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func TestContract(t *testing.T) {
	current := new(host) // the host of the rule that runs
	kind := Kind
	kind.New = func(c Config, env strategy.Env) (strategy.Strategy, error) {
		s, err := newStrategy(c, env)
		if err == nil {
			s.network = current
		}
		return s, err
	}
	strategytest.Run(t, strategytest.Subject{
		Kind: kind,
		Setup: func(tb testing.TB) *strategytest.Source {
			l := new(lan)
			current = l.host(1)
			return newChorus(tb, l, current).source()
		},
		Deadline: settled + time.Second, // an answer is complete after interval and expiry
	})
}

// heartbeatSender sends the heartbeats of all peers that a rule of the contract wants to be heard.
type heartbeatSender struct {
	lan   *lan
	host  *host // of the strategy under test
	mu    sync.Mutex
	peers []peer.Peer
	junk  bool
	seq   uint64
}

func newChorus(tb testing.TB, l *lan, h *host) *heartbeatSender {
	c := &heartbeatSender{lan: l, host: h}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				c.sendAll()
			}
		}
	}()
	tb.Cleanup(func() { close(done); <-gone })
	return c
}

func (c *heartbeatSender) sendAll() {
	codec, _ := newCodec("orders", nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	for i, p := range c.peers {
		ap := netip.MustParseAddrPort(p.Addr)
		b := codec.encode(nil, &packet{Instance: uint64(100 + i + 1000*int(ap.Addr().As4()[3])), Generation: 1, Seq: c.seq, Time: time.Now().UnixNano(),
			Node: fmt.Sprint("n", ap.Addr().As4()[3]), Addrs: []string{p.Addr}})
		c.lan.inject(b)
		if c.junk {
			c.lan.inject(b[:len(b)-1])
			c.lan.inject([]byte("heartbeat::junk"))
		}
	}
}

func (c *heartbeatSender) setPeers(peers []peer.Peer, junk bool, broken error) {
	c.mu.Lock()
	c.peers, c.junk = peers, junk
	c.mu.Unlock()
	c.host.change(func() { c.host.listenErr = [families]error{broken, broken} })
	if broken != nil {
		c.host.breakSockets()
	}
}

func (c *heartbeatSender) source() *strategytest.Source {
	s := &strategytest.Source{Config: "interval: 2s", Env: testEnv("self", "0.0.0.0:7946")}
	s.Env.Rand = nil // each run gets its own
	s.Answer = func(all []peer.Peer) { c.setPeers(all, false, nil) }
	s.Empty = func() { c.setPeers(nil, false, nil) }
	s.Break = func(cause error) { c.setPeers(nil, false, cause) }
	s.Garbage = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.junk = true
	}
	s.Partial = func(some []peer.Peer, cause error) {
		c.setPeers(some, false, nil)
		c.host.change(func() {
			c.host.ifaces = append(c.host.ifaces, iface("eth1", 2, 1, false))
			c.host.sendErr["eth1"] = cause
		})
	}
	return s
}
