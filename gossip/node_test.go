package gossip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

// start starts a node in a network in memory; it ends with the test.
func start(t testing.TB, net *transport.Memory, name string) *Node {
	t.Helper()
	n, err := Start(Config{Name: name, ClusterID: "test", Listen: name + ":7946", Transport: net.Host(name)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

// cluster starts nodes that joined the first.
func cluster(t *testing.T, net *transport.Memory, names ...string) []*Node {
	t.Helper()
	var nodes []*Node
	for _, name := range names {
		n := start(t, net, name)
		if len(nodes) > 0 {
			if err := n.Join(t.Context(), nodes[0].Addr()); err != nil {
				t.Fatal(err)
			}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// up returns the members that a node sees up.
func up(n *Node) string {
	var names []string
	for m := range n.View().All() {
		if m.Up() {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, " ")
}

func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func wantUp(t *testing.T, nodes []*Node, want string) {
	t.Helper()
	for _, n := range nodes {
		if got := up(n); got != want {
			t.Errorf("%s sees %q up, want %q", n.config.Name, got, want)
		}
	}
}

func TestNodesThatJoinOneSeedSeeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		net.Delay(time.Millisecond)
		names := []string{"a", "b", "c", "d", "e"}
		nodes := cluster(t, net, names...)
		settle(time.Second)
		wantUp(t, nodes, "a b c d e")
		if err := nodes[1].Set(t.Context(), "role", "leader"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		for _, n := range nodes {
			if got, ok := n.Get("b", "role"); got != "leader" || !ok {
				t.Errorf("%s: role of b = %q, %v", n.config.Name, got, ok)
			}
		}
		if err := nodes[1].Delete(t.Context(), "role"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if got, ok := nodes[4].Get("b", "role"); ok {
			t.Errorf("role of b = %q after its deletion", got)
		}
	})
}

func TestADeadNodeIsDownAtOnceAndOneThatLeftIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := cluster(t, transport.NewMemory(), "a", "b", "c", "d")
		settle(time.Second)
		nodes[3].Stop()
		settle(500 * time.Millisecond)
		wantUp(t, nodes[:3], "a b c")
		if err := nodes[2].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		settle(500 * time.Millisecond)
		wantUp(t, nodes[:2], "a b")
		for m := range nodes[0].View().All() {
			if want := map[string]Status{"a": Up, "b": Up, "c": Left, "d": Down}[m.Name]; m.Status != want {
				t.Errorf("%s is %v, want %v", m.Name, m.Status, want)
			}
		}
	})
}

func TestAPartitionHealsWithoutHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		nodes := cluster(t, net, "a", "b", "c", "d", "e")
		settle(time.Second)
		left := func(host string) bool { return host < "c" }
		net.Cut(func(from, to string) bool { return left(from) != left(to) })
		settle(10 * time.Minute)
		wantUp(t, nodes[:2], "a b")
		wantUp(t, nodes[2:], "c d e")
		net.Cut(nil)
		settle(15 * time.Second)
		wantUp(t, nodes, "a b c d e")
	})
}

func TestANodeRestartsUnderItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		nodes := cluster(t, net, "a", "b", "c")
		settle(time.Second)
		nodes[2].Stop()
		settle(time.Second)
		again := start(t, net, "c")
		if err := again.Join(t.Context(), nodes[0].Addr()); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		wantUp(t, []*Node{nodes[0], nodes[1], again}, "a b c")
	})
}

func TestTheOlderOfTwoProcessesOfOneNameStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		nodes := cluster(t, net, "a", "b", "c")
		settle(time.Minute)
		twin, err := Start(Config{Name: "b", ClusterID: "test", Listen: "x:7946", Transport: net.Host("x")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(twin.Stop)
		if err := twin.Join(t.Context(), nodes[0].Addr()); err != nil {
			t.Fatal(err)
		}
		settle(30 * time.Second)
		if err := nodes[1].Err(); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), `"b"`) {
			t.Errorf("the older process: %v, want ErrConflict", err)
		}
		if err := nodes[1].Set(t.Context(), "k", "v"); !errors.Is(err, ErrConflict) {
			t.Errorf("Set on it: %v", err)
		}
		if err := twin.Err(); err != nil {
			t.Errorf("the newer process: %v", err)
		}
		wantUp(t, []*Node{nodes[0], nodes[2], twin}, "a b c")
	})
}

func TestJoinReportsWhichNodeIsForeignAndWhichIsSelf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		nodes := cluster(t, net, "a", "b")
		foreign, err := Start(Config{Name: "f", ClusterID: "other", Listen: "f:1", Transport: net.Host("f")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(foreign.Stop)
		if err := foreign.Join(t.Context(), nodes[0].Addr()); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "other") {
			t.Errorf("a foreign node: %v", err)
		}
		if err := nodes[0].Join(t.Context(), nodes[0].Addr()); !errors.Is(err, ErrSelf) {
			t.Errorf("the own address: %v", err)
		}
		if err := nodes[0].Join(t.Context(), "b:1"); !errors.Is(err, transport.ErrRefused) {
			t.Errorf("an address where no process listens: %v", err)
		}
		settle(time.Second)
		wantUp(t, nodes, "a b")
		wantUp(t, []*Node{foreign}, "f")
	})
}

func TestWatchYieldsWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		a := start(t, net, "a")
		ctx, cancel := context.WithCancel(t.Context())
		var story []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for c := range a.Watch(ctx) {
				names := func(ms []*Member) (s []string) {
					for _, m := range ms {
						s = append(s, m.Name)
					}
					return s
				}
				story = append(story, fmt.Sprint("+", names(c.Joined), " -", names(c.Lost), " ~", names(c.Updated)))
			}
		}()
		settle(time.Second)
		b := start(t, net, "b")
		if err := b.Join(t.Context(), a.Addr()); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if err := b.Set(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		b.Stop()
		settle(time.Second)
		cancel()
		<-done
		want := []string{"+[a] -[] ~[]", "+[b] -[] ~[]", "+[] -[] ~[b]", "+[] -[b] ~[]"}
		story = slices.DeleteFunc(story, func(s string) bool { return s == "+[] -[] ~[]" })
		if !slices.Equal(story, want) {
			t.Errorf("watched %q, want %q", story, want)
		}
	})
}

func TestMethodsAfterTheEndReturnErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, transport.NewMemory(), "a")
		n.Stop()
		n.Stop()
		if err := n.Set(t.Context(), "k", "v"); !errors.Is(err, ErrStopped) {
			t.Errorf("Set = %v", err)
		}
		if err := n.Join(t.Context(), "b:1"); err == nil {
			t.Error("Join of a stopped node succeeds")
		}
		if err := n.Leave(t.Context()); err != nil {
			t.Errorf("Leave = %v", err)
		}
		for range n.Watch(t.Context()) {
		}
	})
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for _, c := range []Config{
		{ClusterID: "c", Listen: "a:1"}, {Name: "n", Listen: "a:1"}, {Name: "n", ClusterID: "c", Listen: "a"},
		{Name: "n", ClusterID: "c", Listen: "a:1", Advertise: "b"}, {Name: strings.Repeat("n", 256), ClusterID: "c", Listen: "a:1"},
		{Name: "two\nlines", ClusterID: "c", Listen: "a:1"}, {Name: "\xff", ClusterID: "c", Listen: "a:1"},
	} {
		if n, err := Start(c); err == nil {
			n.Stop()
			t.Errorf("%+v was accepted", c)
		}
	}
}

func TestNodesMeetOverTCP(t *testing.T) {
	var nodes []*Node
	for _, name := range []string{"a", "b", "c"} {
		n, err := Start(Config{Name: name, ClusterID: "test", Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Stop)
		nodes = append(nodes, n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, n := range nodes[1:] {
		if err := n.Join(ctx, nodes[0].Addr()); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		for range n.Watch(ctx) {
			if up(n) == "a b c" {
				break
			}
		}
		if up(n) != "a b c" {
			t.Errorf("%s sees %q", n.config.Name, up(n))
		}
	}
}
