package assign

import (
	"fmt"
	"testing"
)

var sizes = []struct{ members, shards int }{{16, 1024}, {256, 4096}, {1000, 65536}}

var libraries = []struct {
	name string
	make func(members, shards int) Assigner
}{
	{"consistent-1.25", func(m, s int) Assigner { return NewConsistent(m, s, 1.25) }},
	{"rendezvous", NewRendezvous},
}

func BenchmarkAssign(b *testing.B) {
	for _, s := range sizes {
		for _, l := range libraries {
			name := fmt.Sprintf("members=%d/shards=%d/library=%s/", s.members, s.shards, l.name)
			b.Run(name+"nothing", func(b *testing.B) {
				var a Assigner
				for b.Loop() {
					a = l.make(s.members, s.shards)
				}
				report(b, nil, table(a, s.shards))
			})
			b.Run(name+"loss", func(b *testing.B) { change(b, l.make, s.members, s.shards, Assigner.Remove, s.members/2) })
			b.Run(name+"join", func(b *testing.B) { change(b, l.make, s.members, s.shards, Assigner.Add, s.members) })
		}
	}
}

// change measures one change of the members of an assigner made before.
func change(b *testing.B, create func(members, shards int) Assigner, members, shards int, do func(Assigner, int), member int) {
	var before, after []string
	for b.Loop() {
		b.StopTimer()
		a := create(members, shards)
		before = table(a, shards)
		b.StartTimer()
		do(a, member)
		b.StopTimer()
		after = table(a, shards)
		b.StartTimer()
	}
	report(b, before, after)
}

// table returns the owner of each shard.
func table(a Assigner, shards int) []string {
	owners := make([]string, shards)
	for i := range owners {
		owners[i] = a.Owner(i)
	}
	return owners
}

// report adds the metrics of the benchmark of the plan: how many shards have another owner, and the difference between the most and the
// fewest shards of an owner that has some.
func report(b *testing.B, before, after []string) {
	moved, count := 0, map[string]int{}
	for i, owner := range after {
		count[owner]++
		if before == nil || before[i] != owner {
			moved++
		}
	}
	least, most := len(after), 0
	for _, n := range count {
		least, most = min(least, n), max(most, n)
	}
	b.ReportMetric(float64(moved), "moved")
	b.ReportMetric(float64(most-least), "max-min")
}

func TestEachLibraryAssignsEachShardAndMovesThoseOfALostMember(t *testing.T) {
	for _, l := range libraries {
		a := l.make(8, 256)
		before := table(a, 256)
		a.Remove(3)
		for i, owner := range table(a, 256) {
			if owner == "" || owner == name(3) {
				t.Errorf("%s: shard %d, which %s had, has %q", l.name, i, before[i], owner)
			}
		}
		a.Add(3)
		if back := table(a, 256); fmt.Sprint(back) != fmt.Sprint(before) {
			t.Errorf("%s: another table when the member is back", l.name)
		}
	}
}
