package gossiptest

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	schedules = flag.Int("schedules", 60, "number of random schedules of faults")
	firstSeed = flag.Uint64("seed", 1, "seed of the first schedule; 0: by the clock")
	large     = flag.Bool("large", false, "run what takes minutes: 256 and 1,000 nodes")
)

func TestRandomSchedulesKeepTheInvariants(t *testing.T) {
	seed := *firstSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano() / 1000 % 1e9)
	}
	var healed []time.Duration
	failed := 0
	for i := range *schedules {
		s := Schedule{Seed: seed + uint64(i)}
		if err := s.Run(); err != nil {
			t.Error(err)
			if failed++; failed == 10 {
				break
			}
		}
		healed = append(healed, s.Healed)
	}
	slices.Sort(healed)
	t.Logf("%d schedules from seed %d; agreement after the last fault: median %v, worst %v", len(healed), seed, healed[len(healed)/2], healed[len(healed)-1])
}

func TestTheSameSeedGivesTheSameTrace(t *testing.T) {
	run := func() string {
		var b strings.Builder
		s := Schedule{Seed: 12, Trace: func(l string) { b.WriteString(l + "\n") }}
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if a, b := run(), run(); a != b || a == "" {
		t.Error("two runs of one seed differ")
	}
}
