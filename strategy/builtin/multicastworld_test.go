package builtin_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// multicastGroup is the group of the strategy's default.
var multicastGroup = netip.MustParseAddr("233.252.1.32")

// multicastWorld is the loopback interface with other nodes on it: real ones, in this process.
func multicastWorld(tb testing.TB) world {
	tb.Helper()
	lo := loopback(tb)
	conn := groupSender(tb, lo)
	port := conn.LocalAddr().(*net.UDPAddr).Port + 1
	config := fmt.Sprintf("{port: %d, ipv6_group: '', interfaces: [%s], interval: 100ms, expire_after: 300ms}", port, lo.Name)
	l := &lan{tb: tb, config: config}
	tb.Cleanup(l.leave)
	junk := func() {
		to := &net.UDPAddr{IP: multicastGroup.AsSlice(), Port: port}
		for _, b := range []string{"", "junk", "heartbeat::junk", "cnvk", "cnvk\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", string(make([]byte, 2000))} {
			_, err := conn.WriteTo([]byte(b), to)
			must(tb, err)
		}
	}
	missing := fmt.Sprintf("{port: %d, ipv6_group: '', interfaces: [%s, nosuch0], interval: 100ms, expire_after: 300ms}", port, lo.Name)
	return world{
		config:  config,
		configs: map[string]string{part: missing},
		env:     strategy.Env{ClusterID: "orders", Self: selfAt("10.0.0.9:1")},
		states: map[string]func(){
			complete: func() { l.run("10.0.0.1:1", "10.0.0.2:1") },
			nothing:  func() { l.run() },
			part:     func() { l.run("10.0.0.1:1") },
			broken:   func() { hold(tb, port) },
			garbage:  func() { l.run("10.0.0.1:1", "10.0.0.2:1"); junk() },
		},
	}
}

// lan is a set of multicast nodes that run.
type lan struct {
	tb     testing.TB
	config string
	stop   context.CancelFunc
	ended  sync.WaitGroup
	addrs  []string
}

// run makes the nodes that run those at these addresses.
func (l *lan) run(addrs ...string) {
	if l.stop != nil && fmt.Sprint(addrs) == fmt.Sprint(l.addrs) {
		return
	}
	l.leave()
	ctx, cancel := context.WithCancel(context.Background())
	l.stop, l.addrs = cancel, addrs
	for _, addr := range addrs {
		c, err := configure(l.tb, "multicast", l.config)
		must(l.tb, err)
		node, err := c.New(strategy.Env{ClusterID: "orders", Self: selfAt(addr)})
		must(l.tb, err)
		l.ended.Go(func() { _ = node.Run(ctx, new(strategytest.Sink)) }) // it ends with the context
	}
}

func (l *lan) leave() {
	if l.stop != nil {
		l.stop()
		l.ended.Wait()
	}
}

func selfAt(addr string) func() []peer.Peer {
	return func() []peer.Peer { return []peer.Peer{{ID: "node-" + addr, Addr: addr}} }
}

// toldReal is told for a source that is a network: it waits, on the real clock, until the strategy
// repeats what is wanted, and returns that, or what it repeats instead.
func toldReal(t *testing.T, name string, w world, before, state, want string) string {
	t.Helper()
	c, err := configure(t, name, w.configOf(state))
	must(t, err)
	st, err := c.New(w.env)
	must(t, err)
	began := state
	if before != "" {
		began = before
	}
	w.states[began]()
	ctx, cancel := context.WithCancel(context.Background())
	sink, done := new(strategytest.Sink), make(chan struct{})
	go func() { defer close(done); _ = st.Run(ctx, sink) }()
	defer func() { cancel(); <-done }()
	since := 0
	if before != "" {
		if got := repeated(ctx, sink, 0, both); got != both {
			t.Fatalf("the sink was told %s at first, want %s", got, both)
		}
		since = len(sink.Calls())
		w.states[state]()
	}
	got := repeated(ctx, sink, since, want)
	if state == garbage && strategytest.Count(sink.Calls(), strategytest.Fail) > 0 {
		got += " and a Fail"
	}
	return got
}

// repeated waits until the last six calls after since say want and returns what they say.
func repeated(ctx context.Context, sink *strategytest.Sink, since int, want string) string {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	last := func(calls []strategytest.Call) string {
		if len(calls)-since < 6 {
			return "(too little)"
		}
		return strategytest.Summary(calls[len(calls)-6:])
	}
	calls, _ := sink.WaitFor(ctx, func(calls []strategytest.Call) bool { return last(calls) == want })
	return last(calls)
}

// loopback returns the loopback interface, or skips the test where it cannot be used.
func loopback(tb testing.TB) *net.Interface {
	tb.Helper()
	all, err := net.Interfaces()
	must(tb, err)
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			return &i
		}
	}
	tb.Skip("no loopback interface is up: multicast on loopback cannot be tried here")
	return nil
}

// groupSender returns a socket whose multicasts stay on loopback, and skips the test where none arrive.
func groupSender(tb testing.TB, lo *net.Interface) net.PacketConn {
	tb.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	if err := ipv4.NewPacketConn(conn).SetMulticastInterface(lo); err != nil {
		tb.Skip("loopback takes no multicasts here:", err)
	}
	group := &net.UDPAddr{IP: multicastGroup.AsSlice(), Port: conn.LocalAddr().(*net.UDPAddr).Port + 1}
	in, err := net.ListenMulticastUDP("udp4", lo, group)
	if err != nil {
		tb.Skip("the group cannot be joined on loopback:", err)
	}
	defer in.Close()
	must(tb, in.SetReadDeadline(time.Now().Add(2*time.Second)))
	if _, err := conn.WriteTo([]byte("probe"), group); err != nil {
		tb.Skip("loopback takes no multicasts here:", err)
	}
	if _, err := in.Read(make([]byte, 16)); err != nil {
		tb.Skip("loopback delivers no multicasts here:", err)
	}
	return conn
}

// hold takes a port so that nobody can share it.
func hold(tb testing.TB, port int) {
	tb.Helper()
	conn, err := net.ListenPacket("udp4", fmt.Sprintf("0.0.0.0:%d", port))
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
}
