package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const noon = Moment(1 << 40)

func tombstone(key string, at Moment) *SharedEntry {
	return &SharedEntry{Key: key, Deleted: true, Stamp: stampAt(at), Writer: 1}
}

func TestBucketsHoldWhatIsInThemInTheOrderOfIDs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	m := newSharedMap(1<<20, time.Hour)
	want := map[uint64]*SharedEntry{}
	for i := range 5000 {
		e := &SharedEntry{Key: fmt.Sprint(rng.IntN(500)), Stamp: Stamp(i + 1<<20), Writer: 1}
		if rng.IntN(3) == 0 {
			m.drop(e.id())
			delete(want, e.id())
			continue
		}
		m.put(e)
		want[e.id()] = e
	}
	var sums [NumBuckets]uint64
	total := 0
	for b := range uint64(NumBuckets) {
		in := m.inBuckets(1 << b)
		total += len(in)
		if !slices.IsSortedFunc(in, func(a, b *SharedEntry) int { return compareCell(&cell{id: a.id()}, b.id()) }) {
			t.Errorf("bucket %d is not in order", b)
		}
		for _, e := range in {
			sums[b] += e.hash()
			if e.id()%NumBuckets != b || want[e.id()] != e {
				t.Errorf("bucket %d has %v", b, e)
			}
		}
	}
	if total != len(want) || sums != m.buckets {
		t.Errorf("%d entries in the buckets, want %d; sums equal: %v", total, len(want), sums == m.buckets)
	}
}

func TestTombstonesHaveABudgetOfTheirOwnAndTheOldestGo(t *testing.T) {
	m := newSharedMap(8000, 24*time.Hour)
	for i := range 100 { // 100 tombstones of 72 bytes, one each minute, fit; the last ones do not
		m.put(tombstone(fmt.Sprintf("key%05d", i), noon.Add(time.Duration(i)*time.Minute)))
	}
	m.put(&SharedEntry{Space: SpaceMember, Key: "removed", Deleted: true, Stamp: stampAt(noon), Writer: 1})
	now := noon.Add(100 * time.Minute)
	if gone := m.collect(now, false, 1000); len(gone) != 0 {
		t.Fatalf("%d go though all have room", len(gone))
	}
	for i := range 20 {
		m.put(tombstone(fmt.Sprintf("new%05d", i), now))
	}
	if gone := m.collect(now, true, 1000); len(gone) != 0 {
		t.Fatalf("%d go while they are to stay", len(gone))
	}
	gone := m.collect(now, false, 10)
	if len(gone) != 10 {
		t.Fatalf("one call drops %d, want 10", len(gone))
	}
	gone = append(gone, m.collect(now, false, 1000)...)
	if m.dead > 7000 || m.dead < 6900 {
		t.Errorf("%d bytes are left, want 7/8 of 8,000", m.dead)
	}
	last := gone[len(gone)-1].entry
	if m.floor != last.death() || m.find(SpaceUser, "key00000") != nil || m.find(SpaceUser, "key00090") == nil {
		t.Errorf("the floor is %v, the last to go died at %v", m.floor, last.death())
	}
	if m.find(SpaceMember, "removed") == nil {
		t.Error("the entry of a member that is back went for want of room")
	}
	if m.put(last) || m.find(SpaceUser, last.Key) != nil {
		t.Error("a tombstone below the floor is taken")
	}
	m.put(&SharedEntry{Key: last.Key, Value: "old", Stamp: last.Stamp - 1})
	if !m.put(last) || m.find(SpaceUser, last.Key) != nil {
		t.Error("a tombstone below the floor does not delete what it is newer than")
	}
}

func TestTheFloorStaysTenMinutesBehind(t *testing.T) {
	m := newSharedMap(8000, 24*time.Hour)
	for i := range 111 {
		m.put(tombstone(fmt.Sprintf("key%05d", i), noon.Add(time.Duration(i)*time.Second)))
	}
	now := noon.Add(111 * time.Second)
	if gone := m.collect(now, false, 1000); len(gone) != 0 || m.canBury("more", now) {
		t.Errorf("%d go, one more has room: %v", len(gone), m.canBury("more", now))
	}
	if got := m.raise(now, now); got != now.Add(-10*time.Minute) {
		t.Errorf("a floor of now counts as %v", got)
	}
	later := noon.Add(10*time.Minute + 5*time.Second)
	if !m.canBury("more", later) || m.next(false) != noon.Add(10*time.Minute) && m.dead > m.limit {
		t.Errorf("after 10 minutes nothing more fits; next %v", m.next(false))
	}
}

func TestMapsWithTheHigherOfTwoFloorsAgree(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		one, other := newSharedMap(1<<20, time.Hour), newSharedMap(1<<20, time.Hour)
		var all []*SharedEntry
		for i := range 60 {
			e := &SharedEntry{Key: fmt.Sprint(rng.IntN(12)), Stamp: stampAt(noon.Add(time.Duration(rng.IntN(100))*time.Second)) + Stamp(i), Writer: 1}
			if e.Deleted = rng.IntN(2) == 0; !e.Deleted {
				e.Value = "v"
			}
			all = append(all, e)
		}
		now := noon.Add(time.Hour)
		floor := noon.Add(time.Duration(rng.IntN(100)) * time.Second)
		for _, e := range all {
			one.put(e)
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, e := range all {
			other.put(e)
		}
		one.raise(floor, now)
		one.collect(now, false, 1000)
		other.raise(noon.Add(floor.Sub(noon)/2), now) // it hears of two floors, one after the other
		other.collect(now, false, 1000)
		join(&one, &other)
		other.raise(floor, now)
		other.collect(now, false, 1000)
		join(&other, &one)
		if !equal(&one, &other) {
			t.Fatalf("seed %d: they differ", seed)
		}
	}
}

func TestAValueThatExpiresBelowTheFloorLeavesNothing(t *testing.T) {
	m := newSharedMap(1<<20, time.Hour)
	m.put(&SharedEntry{Key: "k", Value: "v", Stamp: stampAt(noon), Expires: int64(noon.Add(time.Minute))})
	m.raise(noon.Add(2*time.Minute), noon.Add(time.Hour))
	ended := m.collect(noon.Add(time.Hour), false, 10)
	if len(ended) != 1 || !ended[0].gone || m.find(SpaceUser, "k") != nil || m.hash != 0 || m.live+m.dead != 0 {
		t.Errorf("%+v, %+v", ended, m.find(SpaceUser, "k"))
	}
}

func TestClusterTimeIsTheLowerMedianOfTheClocksHeard(t *testing.T) {
	for _, c := range []struct {
		own    Moment
		others []Moment
		want   Moment
	}{
		{1000, nil, 1000},
		{5000, []Moment{1000}, 1000}, // of two, the slower one
		{9000, []Moment{1000, 2000}, 2000},
		{1, []Moment{1000, 2000, 3000}, 1000},
		{1, []Moment{0, 2000}, 1}, // one has not been heard
	} {
		k := clusterClock{host: &host{clock: clock{last: c.own.Time(), at: time.Second}}, links: &links{}}
		for _, o := range c.others {
			k.links.list = append(k.links.list, &link{clock: heardClock{clock: o, at: time.Second}})
		}
		if got := k.moment(); got != c.want {
			t.Errorf("own %v, others %v: %v, want %v", c.own, c.others, got, c.want)
		}
	}
	if got := (heardClock{clock: 1000, at: time.Second}).now(3 * time.Second); got != 3000 {
		t.Errorf("a clock heard 2 s ago shows %v, want 3000", got)
	}
}

func TestAStampIsAboveWhatItReplacesAndWhatWasSeen(t *testing.T) {
	limit := stampAt(noon.Add(time.Minute))
	var c hlc
	c.see(stampAt(noon.Add(30*time.Second)), limit)
	s, ok := c.next(0, noon, limit)
	if want := stampAt(noon.Add(30*time.Second)) + 1; s != want || !ok {
		t.Errorf("after what was seen: %x, want %x", s, want)
	}
	if s, ok := c.next(limit-1, noon, limit); s != limit || !ok {
		t.Errorf("in the place of an entry: %x, %v, want %x", s, ok, limit)
	}
	if s, ok := c.next(limit+50, noon, limit); s != limit+51 || !ok {
		t.Errorf("in the place of an entry of the future: %x, %v, want %x", s, ok, limit+51)
	}
	if _, ok := c.next(limit, noon.Add(2*time.Minute), limit); ok {
		t.Error("a stamp of the future is given")
	}
	c.see(limit+5, limit)
	c.last = limit + 100 // the clock of this node was ahead until now
	if s, ok := c.next(0, noon, limit); s != stampAt(noon) || !ok {
		t.Errorf("after a time with a wrong clock: %x, %v, want that of now", s, ok)
	}
}
