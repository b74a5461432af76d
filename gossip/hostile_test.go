package gossip

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
)

// journal is a log that can be asked.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// warnings returns the lines at warn and above, but for those about a machine that is busy with other things.
func (j *journal) warnings() []string {
	var lines []string
	for line := range strings.Lines(j.String()) {
		if strings.Contains(line, "process was paused") {
			continue
		}
		if strings.Contains(line, "[WARN]") || strings.Contains(line, "[ERROR]") {
			lines = append(lines, line)
		}
	}
	return lines
}

// wantOnce checks that there is one warning, with that text.
func (j *journal) wantOnce(t *testing.T, what string) {
	t.Helper()
	await(t, "the log warns", func() bool { return len(j.warnings()) > 0 })
	if lines := j.warnings(); len(lines) != 1 || !strings.Contains(lines[0], what) {
		t.Errorf("the log warns %q, want one line with %q", lines, what)
	}
}

// victim starts a node on loopback that keeps a journal.
func victim(t *testing.T, name string, change ...func(*Config)) (*Node, *journal) {
	t.Helper()
	j := new(journal)
	c := Config{Name: name, ClusterID: "test", Listen: "127.0.0.1:0", Log: hclog.New(&hclog.LoggerOptions{Output: j, Level: hclog.Debug})}
	for _, f := range change {
		f(&c)
	}
	n, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n, j
}

// await waits until a condition holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("still not so: %s", what)
		}
	}
}

// wantJoin checks that an honest node can still join.
func wantJoin(t *testing.T, n *Node, change ...func(*Config)) {
	t.Helper()
	friend, _ := victim(t, "friend", change...)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := friend.Join(ctx, n.Addr()); err != nil {
		t.Fatalf("an honest node cannot join: %v", err)
	}
	want := "friend " + n.config.Name
	if n.config.Name < "friend" {
		want = n.config.Name + " friend"
	}
	await(t, "both see both", func() bool { return up(n) == want && up(friend) == want })
}

// knockAt opens a raw stream to a node.
func knockAt(t *testing.T, n *Node) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", n.Bound())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// wantClosed checks that the other side closes a stream, and returns what it sent before.
func wantClosed(t *testing.T, c net.Conn) []byte {
	t.Helper()
	sent, err := io.ReadAll(c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Errorf("the stream was not closed")
	}
	return sent
}

func frames(t testing.TB, fs ...core.Frame) []byte {
	t.Helper()
	var b []byte
	for _, f := range fs {
		var err error
		if b, err = wire.Append(b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func mallory() *core.Hello {
	return &core.Hello{Protocol: wire.Protocol, Cluster: "test", ID: "mallory", Generation: 1, Addr: "127.0.0.1:1"}
}

// enter shakes hands with a node as mallory, and takes the link into use.
func enter(t *testing.T, n *Node) net.Conn {
	t.Helper()
	c := knockAt(t, n)
	if _, err := c.Write(frames(t, mallory())); err != nil {
		t.Fatal(err)
	}
	if f, err := wire.NewReader(bufio.NewReader(c)).Read(); err != nil {
		t.Fatalf("no hello: %v", err)
	} else if _, ok := f.(*core.Hello); !ok {
		t.Fatalf("%T, want a hello", f)
	}
	if _, err := c.Write(frames(t, &core.Beat{})); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGarbageOnThePortDoesNoHarm(t *testing.T) {
	n, log := victim(t, "n")
	const times = 50
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range times {
		junk := make([]byte, 1+rng.IntN(5000))
		for k := range junk {
			junk[k] = byte(rng.Uint32())
		}
		switch i {
		case 0:
			junk = []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		case 1:
			junk = make([]byte, 5000) // frames of length 0
		case 2:
			junk = append(binary.BigEndian.AppendUint32(nil, 3), 3, 0xff, 0xff) // a heartbeat, broken
		default:
			junk[0] = 1 // no length that could be right
		}
		c := knockAt(t, n)
		_, _ = c.Write(junk) // it may be closed before the end
		_ = c.(*net.TCPConn).CloseWrite()
		wantClosed(t, c)
	}
	await(t, "each is counted", func() bool { return n.Counters().Refused.BadHandshake == times })
	if c := n.Counters(); c.FramesMalformed != times || c.Accepted != times {
		t.Errorf("counted %+v, want %d malformed frames", c, times)
	}
	log.wantOnce(t, "does not speak the protocol")
	wantJoin(t, n)
}

func TestAHealthCheckIsNoTrouble(t *testing.T) {
	n, log := victim(t, "n")
	for i := range 20 {
		c := knockAt(t, n)
		if i%2 == 0 {
			_ = c.(*net.TCPConn).SetLinger(0) // ends it with a reset
		}
		_ = c.Close()
	}
	await(t, "each is counted", func() bool { return n.Counters().Probes == 20 })
	if c := n.Counters(); c.Refused != (Refusals{}) || len(log.warnings()) > 0 {
		t.Errorf("counted %+v and warned %q, want neither refusals nor warnings", c.Refused, log.warnings())
	}
	wantJoin(t, n)
}

// everyFrame has one of each type.
func everyFrame() []core.Frame {
	return []core.Frame{
		mallory(), &core.Refuse{Reason: "no"}, &core.Beat{Hash: 1, Known: 2, Wanted: true}, &core.Buckets{},
		&core.Digest{Mask: 1, Entries: []core.DigestEntry{{Node: 1, Generation: 1, Version: 1}}},
		&core.Delta{Records: []core.RecordDelta{{Node: core.HashID("x"), ID: "x", Generation: 1, To: 1,
			Entries: []core.Entry{{Kind: core.KindUser, Key: "k", Value: "v", Version: 1}}}}},
		&core.Bye{Reason: core.ByeLeft},
	}
}

func TestHalfAFrameEndsItsStreamAndNothingElse(t *testing.T) {
	n, log := victim(t, "n")
	tries := uint64(0)
	for _, f := range everyFrame() { // before the handshake is over
		b := frames(t, f)
		for _, cut := range []int{1, 4, 5, len(b) - 1} {
			c := knockAt(t, n)
			_, _ = c.Write(b[:cut])
			_ = c.(*net.TCPConn).CloseWrite()
			wantClosed(t, c)
			tries++
		}
	}
	await(t, "each is counted", func() bool { return n.Counters().Refused.BadHandshake == tries })
	log.wantOnce(t, "does not speak the protocol")
	for _, f := range everyFrame() { // after it
		b := frames(t, f)
		c := enter(t, n)
		_, _ = c.Write(b[:len(b)-1])
		_ = c.(*net.TCPConn).CloseWrite()
		wantClosed(t, c)
	}
	if up(n) != "n" {
		t.Errorf("%q are up", up(n))
	}
	wantJoin(t, n)
}

func TestAFrameThatClaimsTwoGigabytesIsClosedAtItsHeader(t *testing.T) {
	n, log := victim(t, "n")
	claim := []byte{0x80, 0, 0, 0}
	before := knockAt(t, n)
	_, _ = before.Write(claim)
	wantClosed(t, before) // though the stream is left open here
	log.wantOnce(t, "does not speak the protocol")
	after := enter(t, n)
	_, _ = after.Write(claim)
	wantClosed(t, after)
	await(t, "both are counted and logged", func() bool { return n.Counters().FramesMalformed == 2 && len(log.warnings()) > 1 })
	if lines := log.warnings(); len(lines) != 2 || !strings.Contains(lines[1], "2147483648 bytes") || !strings.Contains(lines[1], "mallory") {
		t.Errorf("the log warns %q, want the second line to name the peer and the size", lines)
	}
	wantJoin(t, n)
}

func TestAThousandStreamsAtOnceAreBounded(t *testing.T) {
	n, _ := victim(t, "n")
	var open []net.Conn
	for range 1000 {
		c, err := net.Dial("tcp", n.Bound())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	await(t, "all are accepted", func() bool { return n.Counters().Accepted == 1000 })
	if running, _ := n.handshakes.counts(); running > maxHandshakes+keptHandshakes {
		t.Errorf("%d handshakes at once, want at most %d", running, maxHandshakes+keptHandshakes)
	}
	for _, c := range open {
		_ = c.Close()
	}
	await(t, "all are gone", func() bool { running, waiting := n.handshakes.counts(); return running+waiting == 0 })
	wantJoin(t, n)
}

func TestAnotherHostIsLetInWhileOneFloods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		nodes := cluster(t, mem, "a")
		for range 300 {
			if _, err := mem.Host("flooder").Dial(t.Context(), "a:7946"); err != nil {
				t.Fatal(err)
			}
		}
		b := start(t, mem, "b")
		begun := time.Now()
		if err := b.Join(t.Context(), "a:7946"); err != nil {
			t.Errorf("while one host floods: %v", err)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("it had to wait for %v", took)
		}
		settle(time.Second)
		wantUp(t, append(nodes, b), "a b")
	})
}

func TestAPeerThatNeverReadsDelaysNoOther(t *testing.T) {
	n, _ := victim(t, "n")
	value := strings.Repeat("x", core.DefaultLimits().Value)
	for i := range 12 {
		if err := n.Set(t.Context(), fmt.Sprint("key", i), value); err != nil {
			t.Fatal(err)
		}
	}
	c := enter(t, n)
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	ask := frames(t, &core.Digest{Mask: ^uint64(0)})
	gone := func() bool { // it asks for everything, again and again, and takes nothing
		_, err := c.Write(ask)
		return err != nil
	}
	await(t, "its link is closed", gone)
	await(t, "its place is free", func() bool { return n.streams.count() == 0 })
	wantJoin(t, n)
}

// count returns how many streams are in use.
func (l *streamLimiter) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inUse
}

// counts returns how many handshakes run and wait.
func (l *handshakeLimit) counts() (running, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.running), len(l.waiting)
}

func TestWhatAPeerMustNotSendIsCountedAndLoggedOnce(t *testing.T) {
	n, log := victim(t, "n")
	c := enter(t, n)
	bad := frames(t, &core.Delta{Records: []core.RecordDelta{{Node: 1, ID: "not 1", Generation: 1, To: 1}}})
	for range 100 {
		if _, err := c.Write(bad); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "each is counted", func() bool { return n.Counters().FramesRejected == 100 })
	log.wantOnce(t, "peer broke a rule")
	wantJoin(t, n)
}
