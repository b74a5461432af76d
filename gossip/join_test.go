package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

func TestJoinUsesTheStreamThatItHasOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		mem.Delay(time.Millisecond)
		nodes := cluster(t, mem, "a", "b")
		settle(time.Second)
		wantUp(t, nodes, "a b")
		if a, b := nodes[0].Counters(), nodes[1].Counters(); a.Accepted != 1 || a.Probes != 0 || b.Dialled != 1 {
			t.Errorf("%d streams were accepted, %d of them were probes, %d were dialled; want one link", a.Accepted, a.Probes, b.Dialled)
		}
	})
}

func TestJoinKeepsTheAddressWhateverTheFirstTryGives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		b := start(t, mem, "b")
		if err := b.Join(t.Context(), "a:7946"); !errors.Is(err, transport.ErrRefused) {
			t.Errorf("Join where no node listens: %v", err)
		}
		settle(time.Minute)
		nodes := []*Node{start(t, mem, "a"), b}
		settle(15 * time.Second)
		wantUp(t, nodes, "a b")
	})
}

func TestJoinOfAMemberThatIsUpOpensNoLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		nodes := cluster(t, mem, "a", "b", "c")
		settle(20 * time.Second)
		accepted := nodes[0].Counters().Accepted
		for range 5 {
			must(t, nodes[2].Join(t.Context(), "a:7946"))
		}
		settle(time.Second)
		if c := nodes[0].Counters(); c.Accepted-accepted != 5 || c.Probes < 5 {
			t.Errorf("%d streams and %d probes, want 5 of both", c.Accepted-accepted, c.Probes)
		}
		wantUp(t, nodes, "a b c")
	})
}

func TestJoinReturnsWithAllThatTheOtherSideHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		a, b := start(t, mem, "a"), start(t, mem, "b")
		for i := range 2000 {
			must(t, a.Shared().Set(t.Context(), fmt.Sprint("k", i), strings.Repeat("v", 1000)))
		}
		must(t, a.Set(t.Context(), "own", "v"))
		must(t, b.Join(t.Context(), "a:7946"))
		for i := range 2000 {
			if _, ok := b.Shared().Get(fmt.Sprint("k", i)); !ok {
				t.Fatalf("k%d is not there when Join returns", i)
			}
		}
		if v, _ := b.Get("a", "own"); v != "v" {
			t.Errorf("the key of the other member is %q when Join returns", v)
		}
	})
}

// pausing is a clock that lets all others run at each look.
func pausing() time.Time {
	time.Sleep(time.Millisecond)
	return time.Now()
}

func TestANodeThatRestartsNeverDialsWithoutItsGeneration(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		a, b := kept(t, mem, "a", dir), start(t, mem, "b")
		must(t, a.Set(t.Context(), "k", "v"))
		must(t, a.Join(t.Context(), "b:7946"))
		settle(2 * time.Second)
		a.Stop()
		must(t, os.CopyFS(copied, os.DirFS(dir)))
		a, err := Start(Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: mem.Host("a"), DataDir: copied, clock: pausing})
		must(t, err)
		t.Cleanup(a.Stop)
		settle(5 * time.Second)
		wantUp(t, []*Node{a, b}, "a b")
		if r := b.Counters().Refused; r != (Refusals{}) {
			t.Errorf("the other node rejected %+v", r)
		}
	})
}

// cutting is a transport whose first dialled streams break as soon as more than the hello is written.
type cutting struct {
	transport.Transport
	left *atomic.Int32 // how many still break
}

func (c cutting) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	conn, err := c.Transport.Dial(ctx, addr)
	if err != nil || c.left.Add(-1) < 0 {
		return conn, err
	}
	return &cutConn{Conn: conn}, nil
}

type cutConn struct {
	transport.Conn
	writes atomic.Int32
}

func (c *cutConn) Write(b []byte) (int, error) {
	if c.writes.Add(1) > 1 {
		_ = c.Close()
		return 0, io.ErrClosedPipe
	}
	return c.Conn.Write(b)
}

func TestJoinCallsAgainWhenItsStreamEndsDuringTheFirstExchange(t *testing.T) {
	for _, c := range []struct {
		cut  int32
		want error
	}{{1, nil}, {2, nil}, {1000, errExchangeCut}} {
		t.Run(fmt.Sprint(c.cut), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := transport.NewMemory()
				a := cluster(t, net, "a")[0]
				must(t, a.Set(t.Context(), "k", "v"))
				left := new(atomic.Int32)
				left.Store(c.cut)
				b, err := Start(Config{Name: "b", ClusterID: "test", Listen: "b:7946", Transport: cutting{net.Host("b"), left}})
				must(t, err)
				t.Cleanup(b.Stop)
				err = b.Join(t.Context(), a.Addr())
				if !errors.Is(err, c.want) {
					t.Fatalf("Join = %v, want %v", err, c.want)
				}
				if v, _ := b.Get("a", "k"); (v == "v") != (err == nil) {
					t.Errorf("Join = %v, and the key of a is %q", err, v)
				}
			})
		})
	}
}
