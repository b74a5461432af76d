package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

// drifting starts a node whose clock is off by what off holds.
func drifting(t *testing.T, mem *transport.Memory, name string, off *time.Duration) *Node {
	t.Helper()
	n, err := Start(Config{Name: name, ClusterID: "test", Listen: name + ":7946", Transport: mem.Host(name),
		clock: func() time.Time { return time.Now().Add(*off) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

func TestAClockAnHourOffIsNoTrouble(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			mem := transport.NewMemory()
			nodes := cluster(t, mem, "a", "b", "c")
			join := func(off time.Duration) *Node {
				n := drifting(t, mem, "d", &off)
				if err := n.Join(t.Context(), nodes[0].Addr()); err != nil {
					t.Fatal(err)
				}
				return n
			}
			d := join(off)
			settle(time.Minute)
			wantUp(t, append(nodes, d), "a b c d")
			for i, next := range []time.Duration{0, off, -off, 0} { // each restart has another clock
				settle(2 * time.Minute) // or it would pass for one that flaps
				d.Stop()
				settle(time.Second)
				wantUp(t, nodes, "a b c")
				d = join(next)
				settle(2 * time.Second)
				wantUp(t, append(nodes, d), "a b c d")
				key := fmt.Sprint("life ", i)
				if err := d.Set(t.Context(), "k", key); err != nil {
					t.Fatal(err)
				}
				settle(time.Second)
				if got, _ := nodes[2].Get("d", "k"); got != key {
					t.Errorf("the key of d is %q, want %q", got, key)
				}
			}
		})
	}
}

func TestAClockThatIsSetIsNoTrouble(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			mem := transport.NewMemory()
			nodes := cluster(t, mem, "a", "b", "c")
			off := time.Duration(0)
			var mu sync.Mutex
			d, err := Start(Config{Name: "d", ClusterID: "test", Listen: "d:7946", Transport: mem.Host("d"),
				clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(off) }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(d.Stop)
			if err := d.Join(t.Context(), nodes[0].Addr()); err != nil {
				t.Fatal(err)
			}
			settle(time.Minute)
			lost := 0
			for _, n := range append(nodes, d) {
				go func() {
					for c := range n.Watch(t.Context()) {
						mu.Lock()
						lost += len(c.Lost)
						mu.Unlock()
					}
				}()
			}
			settle(time.Second)
			mu.Lock()
			off = step
			mu.Unlock()
			settle(2 * time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if lost > 0 {
				t.Errorf("a step of %v: %d members were lost", step, lost)
			}
			if got := d.Counters().Pauses; step > 0 && got != 1 || step < 0 && got != 0 {
				t.Errorf("a step of %v counts as %d pauses", step, got)
			}
			wantUp(t, append(nodes, d), "a b c d")
		})
	}
}

// starved is a transport whose listeners fail first.
type starved struct {
	transport.Transport
	times int
}

func (s starved) Listen(addr string) (net.Listener, error) {
	l, err := s.Transport.Listen(addr)
	return &starvedListener{Listener: l, left: s.times}, err
}

type starvedListener struct {
	net.Listener
	left int // owned by who accepts
}

func (l *starvedListener) Accept() (net.Conn, error) {
	if l.left > 0 {
		l.left--
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestANodeOutOfDescriptorsWaitsAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, log := transport.NewMemory(), new(journal)
		a, err := Start(Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: starved{mem.Host("a"), 60},
			Log: hclog.New(&hclog.LoggerOptions{Output: log})})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Stop)
		settle(10 * time.Second)
		if got := a.Counters().AcceptErrors; got < 8 || got > 30 {
			t.Errorf("tried %d times in 10 s, want a backoff up to 1 s", got)
		}
		settle(time.Minute)
		log.wantOnce(t, "too many open files")
		b := start(t, mem, "b")
		if err := b.Join(t.Context(), "a:7946"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		wantUp(t, []*Node{a, b}, "a b")
	})
}

func TestLeaveWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		a := start(t, mem, "a")
		for i := range 12 {
			if err := a.Set(t.Context(), fmt.Sprint("key", i), strings.Repeat("x", core.DefaultLimits().Value)); err != nil {
				t.Fatal(err)
			}
		}
		c := memoryLink(t, mem, "a:7946") // and reads nothing more
		for range 20 {
			if _, err := c.Write(frames(t, &core.Digest{Entries: []core.DigestEntry{{Node: core.HashID("a")}}})); err != nil {
				t.Fatal(err)
			}
		}
		settle(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := a.Leave(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Leave = %v, want the deadline", err)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("Leave took %v, want 1s", took)
		}
	})
}

func TestAKeyBeyondALimitIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := start(t, transport.NewMemory(), "a")
		for _, kv := range [][2]string{{"", "v"}, {strings.Repeat("k", core.DefaultLimits().Key+1), "v"}, {"k", strings.Repeat("v", core.DefaultLimits().Value+1)}} {
			if err := a.Set(t.Context(), kv[0], kv[1]); err == nil {
				t.Errorf("Set of %d and %d bytes was accepted", len(kv[0]), len(kv[1]))
			}
		}
		var err error
		for i := 0; err == nil && i < 1000; i++ {
			err = a.Set(t.Context(), fmt.Sprint("k", i), strings.Repeat("v", core.DefaultLimits().Value))
		}
		if err == nil {
			t.Error("a record without an end was accepted")
		}
		if got := a.Counters().FramesRejected; got > 0 {
			t.Errorf("%d rejected frames", got)
		}
	})
}

// ours returns the goroutines that run code of this package, but for tests.
func ours() (stacks []string) {
	buf := make([]byte, 4<<20)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "gossip.(*Node)") || strings.Contains(g, "gossip.(*link)") {
			stacks = append(stacks, g)
		}
	}
	return stacks
}

func TestNothingRunsAfterStop(t *testing.T) {
	var nodes []*Node
	for _, name := range []string{"a", "b", "c", "d"} {
		n, _ := victim(t, name, preshared(t, 1))
		nodes = append(nodes, n)
	}
	for _, n := range nodes[1:] {
		if err := n.Join(t.Context(), nodes[0].Addr()); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "all see all", func() bool { return up(nodes[3]) == "a b c d" && up(nodes[0]) == "a b c d" })
	for range 20 { // streams that send nothing, and half of something
		knockAt(t, nodes[0])
		c := knockAt(t, nodes[0])
		_, _ = c.Write([]byte{0})
	}
	await(t, "they are in their handshake", func() bool { running, _ := nodes[0].handshakes.counts(); return running == 40 })
	if len(ours()) == 0 {
		t.Fatal("no goroutine found while nodes run")
	}
	if err := nodes[3].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		n.Stop()
	}
	ending := func(g string) bool { return strings.Contains(g, "finishEnd") } // it lets Stop return as the last thing that it does
	if left := slices.DeleteFunc(ours(), ending); len(left) > 0 {
		t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
	}
}
