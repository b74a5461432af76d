package gossip

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// viewOf is a view of members that are up unless they have another status.
func viewOf(members ...core.Member) *View {
	f := newFakeMembers()
	for _, m := range members {
		if m.Status == 0 {
			m.Status = core.Up
		}
		f.put(m)
	}
	w := viewer{source: f}
	v := w.renew(time.Unix(1, 0))
	return &v
}

func named(n int) []core.Member {
	all := make([]core.Member, n)
	for i := range all {
		all[i].Name = fmt.Sprintf("m%03d", i)
	}
	return all
}

func TestARingSpreadsKeysEvenlyAndMovesOnlyThoseOfAMemberThatGoes(t *testing.T) {
	members := named(20)
	before, after := NewRing(viewOf(members...), RingConfig{}), NewRing(viewOf(members[1:]...), RingConfig{})
	count := map[string]int{}
	const keys = 20_000
	for i := range keys {
		key := fmt.Sprint("key", i)
		was, is := before.Owner(key), after.Owner(key)
		count[was.Name]++
		if was.Name != members[0].Name && was.Name != is.Name {
			t.Fatalf("%s moved from %s to %s, though its owner is still there", key, was.Name, is.Name)
		}
		if owners := before.Owners(key, 2); owners[0] != was || was.Name == members[0].Name && owners[1].Name != is.Name {
			t.Fatalf("%s: owners %v, owner %v, then %v", key, owners, was, is)
		}
	}
	mean := float64(keys) / 20
	for name, n := range count {
		if math.Abs(float64(n)-mean) > 5*math.Sqrt(mean) {
			t.Errorf("%s owns %d keys, want about %.0f", name, n, mean)
		}
	}
}

func TestCopiesAreInDifferentZonesWhileThereAreSome(t *testing.T) {
	members := named(9)
	for i := range members {
		members[i].Zone = string(rune('a' + i%3))
	}
	r := NewRing(viewOf(members...), RingConfig{})
	for i := range 1000 {
		owners := r.Owners(fmt.Sprint(i), 5)
		zones := map[string]int{}
		for k, m := range owners {
			if zones[m.Zone]++; zones[m.Zone] != 1+k/3 {
				t.Fatalf("key %d: copy %d is the %dth of its zone", i, k, zones[m.Zone])
			}
		}
		if owners[0] != r.Owner(fmt.Sprint(i)) {
			t.Fatal("the first copy is not with the owner")
		}
	}
}

func TestOnlyMembersThatAreUpAndSelectedTakePart(t *testing.T) {
	members := named(6)
	members[0].Status, members[1].Status, members[2].Status = core.Down, core.Left, core.Degraded
	r := NewRing(viewOf(members...), RingConfig{Only: func(m *Member) bool { return m.Name != "m005" }})
	var names []string
	for _, m := range r.Owners("k", 100) {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	if want := []string{"m002", "m003", "m004"}; !slices.Equal(names, want) || r.Len() != 3 {
		t.Errorf("owners are %v, want %v", names, want)
	}
	empty := NewRing(viewOf(), RingConfig{})
	if empty.Owner("k") != nil || len(empty.Owners("k", 3)) != 0 || len(r.Owners("k", -1)) != 0 {
		t.Error("a ring without members has owners")
	}
}

// The assignment must be the same in all versions: nodes of two of them share one cluster.
func TestTheAssignmentIsTheSameInAllVersions(t *testing.T) {
	r := NewRing(viewOf(named(5)...), RingConfig{})
	got := ""
	for i := range 16 {
		got += r.Owner(fmt.Sprint("key", i)).Name[3:]
	}
	if want := "3040430102410432"; got != want {
		t.Errorf("owners are %q, want %q", got, want)
	}
}

func TestARingIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b", "c")
		sizes := make(chan int, 10)
		go func() {
			for r := range nodes[0].WatchRing(t.Context(), RingConfig{}) {
				sizes <- r.Len()
			}
			close(sizes)
		}()
		settle(time.Second)
		must(t, nodes[0].Set(t.Context(), "k", "v")) // no other ring
		settle(time.Second)
		nodes[2].Stop()
		settle(10 * time.Second)
		nodes[0].Stop()
		var got []int
		for n := range sizes {
			got = append(got, n)
		}
		if !slices.Equal(got, []int{3, 2}) {
			t.Errorf("rings of %v members, want 3 and 2", got)
		}
	})
}
