package assign

import (
	"strconv"
	"time"
)

// Step is a change of the members.
type Step string

// The steps: all shards are assigned, a member is lost, one joins.
const (
	Nothing Step = "nothing"
	Loss    Step = "loss"
	Join    Step = "join"
)

// Steps are all.
var Steps = []Step{Nothing, Loss, Join}

// Library makes assigners.
type Library struct {
	Name string
	Make func(members, shards int) Assigner
}

// Libraries are those compared.
var Libraries = []Library{
	{"buraksezer/consistent, load 1.25", func(m, s int) Assigner { return NewConsistent(m, s, 1.25) }},
	{"dgryski/go-rendezvous", NewRendezvous},
}

// Figure is what one step took.
type Figure struct {
	Took   time.Duration
	Moved  int // shards that have another owner
	Spread int // the difference between the most and the fewest shards of a member
}

// Measure plays one step with a fresh assigner.
func (l Library) Measure(members, shards int, step Step) Figure {
	begin := time.Now()
	a := l.Make(members, shards)
	var before []string
	all := make(map[string]int, members)
	for i := range members {
		all[name(i)] = 0
	}
	if step != Nothing {
		before = table(a, shards)
		begin = time.Now()
	}
	switch step {
	case Loss:
		a.Remove(members / 2)
		delete(all, name(members/2))
	case Join:
		a.Add(members)
		all[name(members)] = 0
	}
	return figure(time.Since(begin), before, table(a, shards), all)
}

// table returns the owner of each shard.
func table(a Assigner, shards int) []string {
	owners := make([]string, shards)
	for i := range owners {
		owners[i] = a.Owner(i)
	}
	return owners
}

// figure compares two tables; count has the members.
func figure(took time.Duration, before, after []string, count map[string]int) Figure {
	f := Figure{Took: took}
	for i, owner := range after {
		count[owner]++
		if before == nil || before[i] != owner {
			f.Moved++
		}
	}
	least, most := len(after), 0
	for _, n := range count {
		least, most = min(least, n), max(most, n)
	}
	f.Spread = most - least
	return f
}

// Size is a number of members and of shards, as the benchmark of quorum/internal/plan has it.
type Size struct{ Members, Shards int }

// Sizes are those compared.
var Sizes = []Size{{16, 1024}, {256, 4096}, {1000, 65536}}

// String returns the size as names of benchmarks have it.
func (s Size) String() string {
	return "members=" + strconv.Itoa(s.Members) + "/shards=" + strconv.Itoa(s.Shards)
}
