package gossip

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

// conflictOf starts a second process named b at a host x, and returns it and why the first one has ended.
func conflictOf(t *testing.T, net *transport.Memory, nodes []*Node) (twin *Node, conflict *ConflictError) {
	t.Helper()
	settle(time.Minute)
	twin, err := Start(Config{Name: "b", ClusterID: "test", Listen: "x:7946", Transport: net.Host("x")})
	must(t, err)
	t.Cleanup(twin.Stop)
	must(t, twin.Join(t.Context(), nodes[0].Addr()))
	settle(30 * time.Second)
	if !errors.As(nodes[1].Err(), &conflict) {
		t.Fatalf("the older process: %v, want a ConflictError", nodes[1].Err())
	}
	return twin, conflict
}

func TestAConflictNamesTheAddressOfTheOtherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		twin, conflict := conflictOf(t, net, cluster(t, net, "a", "b", "c"))
		if conflict.Addr != "x:7946" || conflict.Name != "b" || conflict.Generation != twin.generation.Load() ||
			!errors.Is(conflict, ErrConflict) || !strings.Contains(conflict.Error(), "x:7946") {
			t.Errorf("ConflictError %+v: %v", *conflict, conflict)
		}
	})
}

// yielding starts a node named b that yields, and has it join.
func yielding(t *testing.T, net *transport.Memory, to uint64, addrs ...string) (*Node, error) {
	t.Helper()
	n, err := Start(Config{Name: "b", ClusterID: "test", Listen: "b:7946", Transport: net.Host("b"), YieldTo: to})
	must(t, err)
	t.Cleanup(n.Stop)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return n, n.Join(ctx, addrs...)
}

func TestANodeThatYieldsStaysOutWhileTheOtherProcessIsUp(t *testing.T) {
	for _, at := range []string{"a:7946", "x:7946"} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := transport.NewMemory()
				nodes := cluster(t, net, "a", "b", "c")
				twin, conflict := conflictOf(t, net, nodes)
				for range 3 {
					again, err := yielding(t, net, conflict.Generation, at)
					settle(30 * time.Second)
					if !errors.Is(again.Err(), ErrConflict) || !errors.Is(err, ErrConflict) {
						t.Errorf("Join = %v, the node ended with %v, want ErrConflict", err, again.Err())
					}
					again.Stop()
				}
				if twin.Err() != nil {
					t.Errorf("the other process: %v", twin.Err())
				}
				wantUp(t, []*Node{nodes[0], nodes[2], twin}, "a b c")
			})
		})
	}
}

func TestANodeThatYieldsTakesPartOnceTheOtherProcessIsGone(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Node){
		"crashed": func(_ *testing.T, n *Node) { n.Stop() },
		"left":    func(t *testing.T, n *Node) { must(t, n.Leave(t.Context())) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := transport.NewMemory()
				nodes := cluster(t, net, "a", "b", "c")
				twin, conflict := conflictOf(t, net, nodes)
				end(t, twin)
				settle(5 * time.Second)
				again, err := yielding(t, net, conflict.Generation, "a:7946")
				must(t, err)
				settle(30 * time.Second)
				wantUp(t, []*Node{nodes[0], nodes[2], again}, "a b c")
				if m, _ := nodes[0].View().Member("b"); m.Addr != "b:7946" || m.Generation <= conflict.Generation {
					t.Errorf("the others see %+v", m)
				}
				must(t, again.Set(t.Context(), "k", "v"))
				settle(time.Second)
				if v, _ := nodes[2].Get("b", "k"); v != "v" {
					t.Errorf("its key at another member: %q", v)
				}
			})
		})
	}
}

func TestANodeThatYieldsAndMeetsNoMemberYieldsStillWhenItMeetsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		nodes := cluster(t, net, "a", "b", "c")
		twin, conflict := conflictOf(t, net, nodes)
		net.Cut(func(from, to string) bool { return from == "b" || to == "b" })
		again, err := yielding(t, net, conflict.Generation, "a:7946")
		if err == nil || errors.Is(err, ErrConflict) {
			t.Errorf("Join over a cut: %v", err)
		}
		settle(time.Minute)
		if again.Err() != nil {
			t.Errorf("while it is alone: %v", again.Err())
		}
		net.Cut(nil)
		settle(30 * time.Second)
		if !errors.Is(again.Err(), ErrConflict) || twin.Err() != nil {
			t.Errorf("after the heal: %v, the other process: %v", again.Err(), twin.Err())
		}
	})
}
