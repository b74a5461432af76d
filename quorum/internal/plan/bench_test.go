package plan

import (
	"fmt"
	"testing"
)

// The sizes of the benchmarks; bench/assign measures other libraries at the same.
var sizes = []struct{ members, shards, copies, zones int }{
	{16, 1024, 1, 0}, {256, 4096, 1, 0}, {1000, 65536, 1, 0}, {16, 1024, 2, 4}, {64, 4096, 2, 4}, {1000, 65536, 3, 3},
}

func BenchmarkPlan(b *testing.B) {
	for _, s := range sizes {
		members := equal(s.members, s.zones)
		none := make([][]uint64, s.shards)
		table := Plan(none, members, s.copies)
		lost := without(members, members[s.members/2].ID)
		joined := append(equal(s.members, s.zones), Member{ID: 1 << 40, Weight: 1, Zone: members[0].Zone})
		name := fmt.Sprintf("members=%d/shards=%d/copies=%d/", s.members, s.shards, s.copies)
		for _, c := range []struct {
			name    string
			old     [][]uint64
			members []Member
		}{{"nothing", none, members}, {"unchanged", table, members}, {"loss", table, lost}, {"join", table, joined}} {
			b.Run(name+c.name, func(b *testing.B) {
				b.ReportAllocs()
				var rows [][]uint64
				for b.Loop() {
					rows = Plan(c.old, c.members, s.copies)
				}
				b.ReportMetric(float64(added(c.old, rows)), "moved")
				b.ReportMetric(float64(spreadOf(holders(rows))), "max-min")
			})
		}
	}
}

// spreadOf returns the difference between the most and the fewest copies of a member.
func spreadOf(rows [][]uint64) int {
	least, most := len(rows), 0
	for _, n := range loads(rows) {
		least, most = min(least, n), max(most, n)
	}
	return most - least
}
