package quorum

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip"
)

// start starts a node on this machine; the end of the test stops it.
func start(t *testing.T, name string) *gossip.Node {
	t.Helper()
	n, err := gossip.Start(gossip.Config{Name: name, ClusterID: "quorum-test", Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

func TestMembersOfOneViewPreferTheSameMemberForAKey(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	nodes := []*gossip.Node{start(t, "a"), start(t, "b"), start(t, "c")}
	for _, n := range nodes[1:] {
		if err := n.Join(ctx, nodes[0].Addr()); err != nil {
			t.Fatal(err)
		}
	}
	preferred := map[string]int{}
	for _, n := range nodes {
		view := whole(ctx, t, n)
		for i := range 30 {
			preferred[fmt.Sprint(i, " at ", Prefer(view, fmt.Sprint("key-", i)).Name)]++
		}
	}
	if len(preferred) != 30 {
		t.Errorf("three nodes prefer %v, want one member for each key", preferred)
	}
}

// whole returns a view of a node in which all three are up.
func whole(ctx context.Context, t *testing.T, n *gossip.Node) *gossip.View {
	t.Helper()
	for change := range n.Watch(ctx) {
		up := 0
		for m := range change.View.All() {
			if m.Up() {
				up++
			}
		}
		if up == 3 {
			return change.View
		}
	}
	t.Fatal("the three nodes were not together in time")
	return nil
}
