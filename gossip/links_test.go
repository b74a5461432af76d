package gossip

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

func TestLinksAreThoseOfTheMomentTheyAreAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := cluster(t, transport.NewMemory(), "a", "b", "c")
		settle(5 * time.Second)
		links, err := nodes[0].Links(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(links, func(x, y Link) int { return strings.Compare(x.Peer, y.Peer) })
		if len(links) != 2 || links[0].Peer != "b" || links[1].Peer != "c" {
			t.Fatalf("links of a are %+v, want b and c", links)
		}
		for _, l := range links {
			if age := time.Since(l.Since); age < 3*time.Second || age > 6*time.Second {
				t.Errorf("the link to %s is %v old, want about 5 s", l.Peer, age)
			}
			if l.Phi < 0 || l.Phi > core.MaxPhi {
				t.Errorf("phi of %s is %v", l.Peer, l.Phi)
			}
		}
		counts, err := nodes[0].LinkCounts(t.Context())
		if err != nil || !maps.Equal(counts, map[string]int{"a": 2, "b": 2, "c": 2}) {
			t.Errorf("link counts %v, %v; want 2 of each", counts, err)
		}
		if _, err := json.Marshal(links); err != nil {
			t.Error(err)
		}
		nodes[0].Stop()
		if _, err := nodes[0].Links(context.Background()); !errors.Is(err, ErrStopped) {
			t.Errorf("links of a node that has stopped: %v, want %v", err, ErrStopped)
		}
		if _, err := nodes[0].LinkCounts(context.Background()); !errors.Is(err, ErrStopped) {
			t.Errorf("link counts of a node that has stopped: %v, want %v", err, ErrStopped)
		}
	})
}

func TestWatchKeysFollowsEveryKeyOfEveryMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := cluster(t, transport.NewMemory(), "a", "b")
		for _, key := range []string{"x/1", "x/2", "y"} {
			if err := nodes[1].Set(t.Context(), key, "v"); err != nil {
				t.Fatal(err)
			}
		}
		settle(time.Second)
		var got []KeyChange
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for c := range nodes[0].WatchKeys(ctx, "", "x/") {
				got = append(got, c)
			}
		}()
		settle(time.Second)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			settle(time.Second)
		}
		must(nodes[1].Set(t.Context(), "x/0", "w"))
		must(nodes[1].Delete(t.Context(), "x/1"))
		must(nodes[1].Set(t.Context(), "x/2", "w"))
		must(nodes[1].Set(t.Context(), "y", "w"))
		must(nodes[0].Set(t.Context(), "x/9", "own"))
		cancel()
		<-done
		want := []KeyChange{
			{Member: "b", Key: "x/1", Value: "v"}, {Member: "b", Key: "x/2", Value: "v"},
			{Member: "b", Key: "x/0", Value: "w"}, {Member: "b", Key: "x/1", Gone: true},
			{Member: "b", Key: "x/2", Value: "w"}, {Member: "a", Key: "x/9", Value: "own"},
		}
		if !slices.Equal(got, want) {
			t.Errorf("changes are %+v, want %+v", got, want)
		}
	})
}
