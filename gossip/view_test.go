package gossip

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// fakeMembers stands for a core.
type fakeMembers struct {
	members map[string]core.Member
	changed map[string]bool
}

func newFakeMembers() *fakeMembers {
	return &fakeMembers{map[string]core.Member{}, map[string]bool{}}
}

func (f *fakeMembers) TakeChanged() []string {
	names := slices.Collect(maps.Keys(f.changed))
	clear(f.changed)
	return names
}

func (f *fakeMembers) Member(name string) (core.Member, bool) {
	m, ok := f.members[name]
	return m, ok
}

// put adds a member, or makes it another one.
func (f *fakeMembers) put(m core.Member) {
	f.members[m.Name] = m
	f.changed[m.Name] = true
}

// remove takes a member away; that it may have changed is reported also of names that are not there.
func (f *fakeMembers) remove(name string) {
	delete(f.members, name)
	f.changed[name] = true
}

// copyOf is a view as values.
func copyOf(v *View) map[string]Member {
	all := map[string]Member{}
	for m := range v.All() {
		all[m.Name] = *m
	}
	return all
}

func TestAViewThatIsUpdatedEqualsOneMadeFromNothing(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 3))
		f := newFakeMembers()
		w := viewer{source: f}
		var views []*View
		var copies []map[string]Member
		for i := range 100 {
			for range rng.IntN(6) {
				name := fmt.Sprint("m", rng.IntN(12))
				if rng.IntN(4) == 0 {
					f.remove(name)
					continue
				}
				f.put(core.Member{Name: name, Generation: rng.Uint64N(3), Status: core.Status(1 + rng.IntN(4))})
			}
			v := w.renew(time.Unix(int64(i), 0))
			views, copies = append(views, &v), append(copies, copyOf(&v))
			checkMembers(t, &v, f)
			checkSince(t, views[max(0, len(views)-1-rng.IntN(4))], &v)
		}
		for i, v := range views {
			if !maps.Equal(copyOf(v), copies[i]) {
				t.Fatalf("seed %d: view %d has changed since it was made", seed, i)
			}
		}
	}
}

// checkMembers compares a view with what it was made of.
func checkMembers(t *testing.T, v *View, f *fakeMembers) {
	t.Helper()
	for name, m := range f.members {
		got, ok := v.Member(name)
		if !ok || got.Generation != m.Generation || got.Status != Status(m.Status) {
			t.Fatalf("the view has %+v, want %+v", got, m)
		}
	}
	if v.Len() != len(f.members) {
		t.Fatalf("the view has %d members, want %d", v.Len(), len(f.members))
	}
}

// checkSince compares Since with what a comparison of all members finds.
func checkSince(t *testing.T, old, now *View) {
	t.Helper()
	var got, want []renewal
	for was, is := range now.Since(old) {
		got = append(got, renewal{was, is})
	}
	names := copyOf(old)
	maps.Copy(names, copyOf(now))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, _ := old.Member(name)
		is, _ := now.Member(name)
		if was != is {
			want = append(want, renewal{was, is})
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("Since yields %v, want %v", got, want)
	}
}

func TestAMemberThatDidNotChangeIsTheSameInTheNextView(t *testing.T) {
	f := newFakeMembers()
	w := viewer{source: f}
	for i := range 30 {
		f.put(core.Member{Name: fmt.Sprint(i), Version: 1, Status: core.Up})
	}
	old := w.renew(time.Unix(1, 0))
	f.put(core.Member{Name: "7", Version: 2, Addr: "a", Status: core.Up})
	f.changed["8"] = true                                                // touched, and as it was
	f.put(core.Member{Name: "9", Version: 2, Links: 1, Status: core.Up}) // its record has a later version and one more link, and shows the same
	now := w.renew(time.Unix(2, 0))
	for m := range now.All() {
		was, _ := old.Member(m.Name)
		if (was == m) != (m.Name != "7") {
			t.Errorf("%s: it is the same value: %v", m.Name, was == m)
		}
	}
	if again := w.renew(time.Unix(3, 0)); again.members != now.members {
		t.Error("members were made again though nothing changed")
	}
}

func TestAViewKeepsNoMemberOfTheViewBeforeInMemory(t *testing.T) {
	f := newFakeMembers()
	w := viewer{source: f}
	f.put(core.Member{Name: "a", Generation: 1})
	v := w.renew(time.Unix(1, 0))
	m, _ := v.Member("a")
	was := weak.Make(m)
	f.put(core.Member{Name: "a", Generation: 2})
	m, v = nil, w.renew(time.Unix(2, 0))
	runtime.GC()
	runtime.GC()
	if was.Value() != nil {
		t.Error("the member as it was is still in memory")
	}
	runtime.KeepAlive(m)
	runtime.KeepAlive(v)
	runtime.KeepAlive(w)
}

func TestSinceIsWhenTheStatusOrTheLifeOfAMemberChanged(t *testing.T) {
	f := newFakeMembers()
	w := viewer{source: f}
	for i, step := range []struct {
		m    core.Member
		want int64
	}{
		{core.Member{Name: "a", Status: core.Up, Generation: 1}, 0},
		{core.Member{Name: "a", Status: core.Up, Generation: 1, Addr: "b"}, 0}, // another address
		{core.Member{Name: "a", Status: core.Down, Generation: 1, Addr: "b"}, 2},
		{core.Member{Name: "a", Status: core.Up, Generation: 1, Addr: "b"}, 3},
		{core.Member{Name: "a", Status: core.Up, Generation: 2, Addr: "a"}, 4}, // it was started again
	} {
		f.put(step.m)
		v := w.renew(time.Unix(int64(i), 0))
		if m, _ := v.Member("a"); m.Since.Unix() != step.want {
			t.Errorf("step %d: since %d, want %d", i, m.Since.Unix(), step.want)
		}
	}
}

func TestComparingViewsAllocatesNothingPerMember(t *testing.T) {
	f := newFakeMembers()
	w := viewer{source: f}
	for i := range 2000 {
		f.put(core.Member{Name: fmt.Sprint(i), Generation: 1})
	}
	old := w.renew(time.Now())
	for more := range 2 { // so that the views are not neighbours and all members are compared
		f.put(core.Member{Name: "7", Generation: 2 + uint64(more)})
		w.renew(time.Now())
	}
	now := w.last
	allocs := testing.AllocsPerRun(20, func() {
		n := 0
		for range now.Since(&old) {
			n++
		}
		if n != 1 {
			t.Errorf("%d members differ, want 1", n)
		}
	})
	if allocs > 20 {
		t.Errorf("comparing two views of 2,000 members allocates %v times", allocs)
	}
}

// BenchmarkViewAfterOneChange makes a view after a change of one member. What the core does for it is measured there.
func BenchmarkViewAfterOneChange(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := newFakeMembers()
			w := viewer{source: f}
			for i := range n {
				f.put(core.Member{Name: fmt.Sprint(i), Generation: 1})
			}
			w.renew(time.Now())
			b.ReportAllocs()
			for i := 2; b.Loop(); i++ {
				f.put(core.Member{Name: fmt.Sprint(i * 7919 % n), Generation: uint64(i)})
				w.renew(time.Now())
			}
		})
	}
}

func TestAMemberOfAViewIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Member{}); unsafe.Sizeof(uintptr(0)) == 8 && size > 112 {
		t.Errorf("a Member takes %d bytes, want at most 112: a node has one for each member", size)
	}
}
