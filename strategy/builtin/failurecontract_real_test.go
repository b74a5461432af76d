package builtin_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

const (
	patience = 10 * time.Second // for a state to show
	// watched is how long the calls in a state are looked at, at least: twice the time in which multicast
	// has a complete answer with the configuration of its source, so that a wrong Set has had the time to come.
	watched = time.Second
)

// callsInRealTime is callsInBubble for a source that stops the clock of a bubble, such as real sockets: it
// waits until the sink received what the contract wants, for as long as patience at most, and returns
// what it received, as settled returns it.
func callsInRealTime(t *testing.T, name string, w testSource, before, state string) string {
	t.Helper()
	st := strategyFor(t, name, w, state)
	if st == nil {
		return "refused"
	}
	w.states[cmp.Or(before, state)]()
	sink, end := start(st)
	defer end()
	since := 0
	if before != "" {
		if got := awaitSummary(t, sink, 0, both); got != both {
			t.Fatalf("the sink received %s at first, want %s", got, both)
		}
		since = len(sink.Calls())
		w.states[state]()
	}
	return awaitSummary(t, sink, since, wanted(name, state))
}

// awaitSummary waits until the calls from the since-th on stretch over watched and settled returns want for
// them, and returns what it does in the end.
func awaitSummary(t *testing.T, sink *strategytest.Sink, since int, want string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	calls, err := sink.WaitFor(ctx, func(calls []strategytest.Call) bool {
		calls = calls[since:]
		return len(calls) > 0 && calls[len(calls)-1].At.Sub(calls[0].At) >= watched && settled(calls) == want
	})
	got := settled(calls[since:])
	if err != nil {
		t.Logf("after %v: %v", patience, calls[since:])
	}
	return got
}

// wanted returns what the contract wants of a strategy in a state.
func wanted(name, state string) string {
	for _, row := range contract {
		if row.strategy == name {
			return row.want[state]
		}
	}
	return ""
}

// settled summarises calls up to a moment: the last complete answer, which undoes those before it, the incomplete ones
// after it, and every failure whenever it came. Without a complete answer nothing is left out. Nor is an
// answer ever that names any but the two nodes of the source: those come one by one, and a busy
// machine may silence one for longer than it takes to be forgotten, but no other exists.
func settled(calls []strategytest.Call) string {
	last := -1
	for i, c := range calls {
		if c.Method == strategytest.Set {
			last = i
		}
	}
	var kept []strategytest.Call
	for i, c := range calls {
		stranger := slices.ContainsFunc(c.Peers, func(p peer.Peer) bool { return p.Addr != first && p.Addr != second })
		if i >= last || c.Method == strategytest.Fail || stranger {
			kept = append(kept, c)
		}
	}
	return strategytest.Summary(kept)
}

// multicastTestSource has other nodes on the network, which is the loopback interface: real ones, in this process.
func multicastTestSource(tb testing.TB) testSource {
	lo, group := loopback(tb)
	config := func(interfaces string) string {
		return fmt.Sprintf("{ipv4_group: %v, ipv6_group: '', port: %d, interfaces: [%s], interval: 100ms, expire_after: 300ms}",
			group.IP, group.Port, interfaces)
	}
	leave := func() {}
	tb.Cleanup(func() { leave() })
	nodes := func(addrs ...string) {
		leave()
		leave = join(tb, "multicast", config(lo.Name), tb.Name(), addrs)
	}
	return testSource{
		config: config(lo.Name),
		env: strategy.Env{
			ClusterID: tb.Name(), // a test that runs at the same time is not heard, whatever its port
			Self:      func() []peer.Peer { return []peer.Peer{{Addr: "10.0.0.9:1"}} },
		},
		states: map[string]func(){
			complete: func() { nodes(first, second) },
			nothing:  func() { nodes() },
			part:     func() { nodes(first) },
			broken:   func() { occupyPort(tb, group.Port) },
			garbage:  func() { nodes(first, second); sendJunk(tb, lo, group) },
		},
		configs: map[string]string{part: config(lo.Name + ", nosuch0")},
	}
}

// loopback returns the loopback interface and a group with a port that no process uses at the
// moment. It skips the test where a datagram to that group does not come back.
func loopback(tb testing.TB) (*net.Interface, *net.UDPAddr) {
	tb.Helper()
	all, err := net.Interfaces()
	must(tb, err)
	i := slices.IndexFunc(all, func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 })
	if i < 0 {
		tb.Skip("no loopback interface is up: multicast on loopback cannot be tried here")
	}
	free, err := net.ListenUDP("udp4", nil)
	if err != nil {
		tb.Skip("no UDP socket can be opened here:", err)
	}
	group := &net.UDPAddr{IP: net.IPv4(233, 252, 1, 32), Port: free.LocalAddr().(*net.UDPAddr).Port}
	must(tb, free.Close())
	conn, err := groupMember(&all[i], group)
	if err != nil {
		tb.Skip("the group cannot be joined on loopback:", err)
	}
	defer conn.Close()
	if _, err := conn.WriteToUDP([]byte("probe"), group); err != nil {
		tb.Skip("loopback does not take multicasts here:", err)
	}
	if _, _, err := conn.ReadFromUDP(make([]byte, 16)); err != nil {
		tb.Skip("loopback does not deliver multicasts here:", err)
	}
	return &all[i], group
}

// groupMember returns a socket that sends to a group and hears it, itself too, for as long as patience.
func groupMember(lo *net.Interface, group *net.UDPAddr) (*net.UDPConn, error) {
	conn, err := net.ListenMulticastUDP("udp4", lo, group)
	if err != nil {
		return nil, err
	}
	if err := ipv4.NewPacketConn(conn).SetMulticastLoopback(true); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, conn.SetReadDeadline(time.Now().Add(patience))
}

// occupyPort holds a port with a socket that shares it with no other, until the test ends.
func occupyPort(tb testing.TB, port int) {
	tb.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
	must(tb, err)
	tb.Cleanup(func() { conn.Close() })
}

// sendJunk sends junk to a group until the test ends: one datagram every 25 ms, those that carry the right cluster
// among them rare enough that the heartbeats of the nodes, from the same address, stay within the allowed rate.
func sendJunk(tb testing.TB, lo *net.Interface, group *net.UDPAddr) {
	tb.Helper()
	conn, err := groupMember(lo, group)
	must(tb, err)
	kinds := junkDatagrams(receiveHeartbeat(tb, conn))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(25 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			if _, err := conn.WriteToUDP(kinds[i%len(kinds)], group); err != nil {
				tb.Errorf("send junk: %v", err)
				return
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	tb.Cleanup(func() { close(stop); <-done; conn.Close() })
}

// receiveHeartbeat returns a heartbeat of a node.
func receiveHeartbeat(tb testing.TB, conn *net.UDPConn) []byte {
	tb.Helper()
	buf := make([]byte, 1024)
	n, _, err := conn.ReadFromUDP(buf)
	must(tb, err)
	return buf[:n]
}

// junkDatagrams returns datagrams without a meaning, some of them made of a good one.
func junkDatagrams(good []byte) [][]byte {
	with := func(offset int) []byte {
		b := bytes.Clone(good)
		b[offset] ^= 0xff
		return b
	}
	return [][]byte{
		{},
		{0},
		[]byte("heartbeat::\x83h\x02d"),          // of libcluster
		[]byte("GET / HTTP/1.1\r\n\r\n"),         // of a client that is lost
		bytes.Repeat([]byte{0xff}, 9000),         // too long
		append(good[:6:6], make([]byte, 600)...), // too long, with a good beginning
		good[:4],                                 // the magic alone
		good[:14],                                // the header alone
		good[:len(good)-1],                       // cut short
		append(bytes.Clone(good), 0),             // with something behind
		with(0),                                  // another magic
		with(4),                                  // another version
		with(5),                                  // another suite
		with(6),                                  // another cluster
		good,                                     // a repetition
	}
}
