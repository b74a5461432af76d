package assign

import (
	"fmt"
	"testing"
)

func BenchmarkAssign(b *testing.B) {
	for _, size := range Sizes {
		for _, l := range Libraries {
			for _, step := range Steps {
				b.Run(fmt.Sprintf("%v/library=%s/%s", size, l.Name, step), func(b *testing.B) {
					var f Figure
					took := 0.0
					for b.Loop() {
						f = l.Measure(size.Members, size.Shards, step)
						took += f.Took.Seconds()
					}
					b.ReportMetric(took/float64(b.N)*1e9, "ns/step")
					b.ReportMetric(float64(f.Moved), "moved")
					b.ReportMetric(float64(f.Spread), "max-min")
				})
			}
		}
	}
}

func TestEachLibraryAssignsEachShardAndMovesThoseOfALostMember(t *testing.T) {
	for _, l := range Libraries {
		a := l.Make(8, 256)
		before := table(a, 256)
		a.Remove(3)
		for i, owner := range table(a, 256) {
			if owner == "" || owner == name(3) {
				t.Errorf("%s: shard %d, which %s had, has %q", l.Name, i, before[i], owner)
			}
		}
		a.Add(3)
		if back := table(a, 256); fmt.Sprint(back) != fmt.Sprint(before) {
			t.Errorf("%s: another table when the member is back", l.Name)
		}
	}
}

func TestAFigureCountsShardsThatMovedAndMembersWithNothing(t *testing.T) {
	f := figure(0, []string{"a", "a", "b", "c"}, []string{"a", "a", "a", "b"}, map[string]int{"a": 0, "b": 0, "c": 0})
	if f.Moved != 2 || f.Spread != 3 {
		t.Errorf("%+v, want 2 moved and a difference of 3: c has none", f)
	}
}
