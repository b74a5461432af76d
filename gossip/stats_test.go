package gossip

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

func TestStatsHaveLinksAndTheSizeOfTheSharedMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := cluster(t, transport.NewMemory(), "a", "b", "c")
		for _, key := range []string{"kept", "deleted"} {
			if err := nodes[0].Shared().Set(t.Context(), key, "value"); err != nil {
				t.Fatal(err)
			}
		}
		if err := nodes[0].Shared().Delete(t.Context(), "deleted"); err != nil {
			t.Fatal(err)
		}
		settle(5 * time.Second)
		s, err := nodes[0].Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Links != 2 || s.LinksWanted != 2 || s.MaxPhi < 0 {
			t.Errorf("%d links of %d that are wanted, phi %v; want 2 of 2", s.Links, s.LinksWanted, s.MaxPhi)
		}
		if s.SharedValues != 1 || s.SharedTombstones != 1 || s.SharedBytes < len("keptvalue") || s.SharedLimit < 1<<20 {
			t.Errorf("shared map: %+v, want one value and one tombstone", s)
		}
		nodes[0].Stop()
		if _, err := nodes[0].Stats(context.Background()); !errors.Is(err, ErrStopped) {
			t.Errorf("stats of a node that has stopped: %v, want %v", err, ErrStopped)
		}
	})
}

func TestStatsHaveTheRoundTripsThatTheKernelMeasures(t *testing.T) {
	var nodes []*Node
	for _, name := range []string{"a", "b", "c"} {
		n, err := Start(Config{Name: name, ClusterID: "test", Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Stop()
		nodes = append(nodes, n)
	}
	for _, n := range nodes[1:] {
		if err := nodes[0].Join(t.Context(), n.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	s, err := nodes[0].Stats(t.Context())
	for late := time.Now().Add(20 * time.Second); err == nil && s.Links < 2 && time.Now().Before(late); time.Sleep(10 * time.Millisecond) {
		s, err = nodes[0].Stats(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	known := s.RTT.Min > 0 && s.RTT.Min <= s.RTT.Median && s.RTT.Median <= s.RTT.Max && s.RTT.Max < 10*time.Second
	if linux := runtime.GOOS == "linux"; known != linux || !linux && s.RTT != (RTTs{}) {
		t.Errorf("round trips %+v of %d links", s.RTT, s.Links)
	}
}

func TestTheTimeOfAWriteToEachOtherNodeIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		nodes := cluster(t, net, "a", "b", "c")
		settle(5 * time.Second)
		for i := range 4 {
			if err := nodes[0].Shared().Set(t.Context(), fmt.Sprint(i), "value"); err != nil {
				t.Fatal(err)
			}
			settle(time.Second)
		}
		if err := nodes[0].Shared().Delete(t.Context(), "0"); err != nil {
			t.Fatal(err)
		}
		settle(10 * time.Second)
		if own := nodes[0].Counters().Propagation; own.Count() != 0 {
			t.Errorf("the writer counts %d writes of itself", own.Count())
		}
		for _, n := range nodes[1:] {
			got := n.Counters().Propagation
			if mean := got.Sum() / 5; got.Count() != 5 || mean > time.Second {
				t.Errorf("%s counts %d writes with a mean of %v, want 5 within a second", n.Name(), got.Count(), mean)
			}
		}
		// A node that comes later gets all at once: that says nothing of how writes propagate.
		late, err := Start(Config{Name: "d", ClusterID: "test", Listen: "d:7946", Transport: net.Host("d")})
		if err != nil {
			t.Fatal(err)
		}
		defer late.Stop()
		if err := late.Join(t.Context(), nodes[0].Addr()); err != nil {
			t.Fatal(err)
		}
		settle(5 * time.Second)
		if _, ok := late.Shared().Get("3"); !ok || late.Counters().Propagation.Count() != 0 {
			t.Errorf("a node that came later: %v, and it counts %d writes, want none", ok, late.Counters().Propagation.Count())
		}
	})
}

func TestWhatBecomesOfOtherMembersIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := cluster(t, transport.NewMemory(), "a", "b", "c")
		settle(5 * time.Second)
		before := nodes[0].Counters().Changes
		if before.Joined != 2 || before.Lost+before.Left+before.Removed != 0 {
			t.Errorf("after the start: %+v, want two that joined and no other change", before)
		}
		if err := nodes[1].Set(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if got := nodes[0].Counters().Changes.Updated; got <= before.Updated {
			t.Errorf("%d updates after a key was set, %d before", got, before.Updated)
		}
		if err := nodes[1].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes[2].Stop()
		settle(20 * time.Second)
		if err := nodes[0].Remove(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		want := MemberChanges{Joined: 2, Lost: 1, Left: 1, Removed: 1}
		got := nodes[0].Counters().Changes
		if got.Updated = 0; got != want {
			t.Errorf("changes = %+v, want %+v", got, want)
		}
	})
}

func TestTwoProcessesOfOneNameAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		nodes := cluster(t, net, "a", "b")
		settle(3 * time.Second)
		newer, err := Start(Config{Name: "b", ClusterID: "test", Listen: "x:7946", Transport: net.Host("x")})
		if err != nil {
			t.Fatal(err)
		}
		defer newer.Stop()
		if n := nodes[0].Counters().NameConflicts; n != 0 {
			t.Errorf("%d conflicts before there was one", n)
		}
		if err := newer.Join(t.Context(), nodes[0].Addr()); err != nil {
			t.Fatal(err)
		}
		settle(10 * time.Second)
		if !errors.Is(nodes[1].Err(), ErrConflict) || nodes[1].Counters().NameConflicts != 1 {
			t.Errorf("the older process: %v, %d conflicts; want ErrConflict and one", nodes[1].Err(), nodes[1].Counters().NameConflicts)
		}
		if n := nodes[0].Counters().NameConflicts; n == 0 {
			t.Error("the member that turned the older process away counts no conflict")
		}
	})
}
