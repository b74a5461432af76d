package gossip

import (
	"context"
	"errors"
	"os"
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

// joining calls Join in the background.
func joining(t *testing.T, ctx context.Context, n *Node, addr string) <-chan error {
	t.Helper()
	n.awaitExchange = true
	returned := make(chan error, 1)
	go func() { returned <- n.Join(ctx, addr) }()
	settle(500 * time.Millisecond)
	select {
	case err := <-returned:
		t.Errorf("Join returned before the first exchange was over: %v", err)
		returned <- err
	default:
	}
	return returned
}

func TestJoinWaitsForTheFirstExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		for end, want := range map[string]error{"the link ends": nil, "ctx ends": context.DeadlineExceeded, "the node ends": ErrStopped} {
			a, b := start(t, mem, "a"), start(t, mem, "b")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			returned := joining(t, ctx, b, "a:7946")
			switch end {
			case "the link ends":
				a.Stop()
			case "the node ends":
				b.Stop()
			}
			if err := <-returned; !errors.Is(err, want) {
				t.Errorf("%s: Join returned %v, want %v", end, err, want)
			}
			cancel()
			a.Stop()
			b.Stop()
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
		must(t, a.Set("k", "v"))
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
