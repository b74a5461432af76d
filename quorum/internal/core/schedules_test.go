package core

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	schedules = flag.Int("schedules", 100, "number of random schedules of faults")
	large     = flag.Bool("large", false, "run what takes long: a thousand members")
	firstSeed = flag.Uint64("seed", 1, "seed of the first schedule; 0: by the clock")
)

func TestRandomSchedulesKeepTheInvariants(t *testing.T) {
	t.Parallel()
	seed := *firstSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano() / 1000 % 1e9)
	}
	var healed []time.Duration
	virtual, grants, elections := time.Duration(0), 0, 0
	for i := range *schedules {
		s := newSchedule(seed + uint64(i))
		if *schedules == 1 && testing.Verbose() {
			s.w.Trace = func(l string) { t.Log(l) }
		}
		if err := s.play(); err != nil {
			t.Error(err)
		}
		healed = append(healed, s.healed)
		virtual += s.w.Now
		grants += s.check.grants
		elections += len(s.check.elections)
	}
	slices.Sort(healed)
	t.Logf("%d schedules from seed %d: %.1f h virtual, %d grants, %d elections; all held after the last fault: median %v, worst %v",
		len(healed), seed, virtual.Hours(), grants, elections, healed[len(healed)/2], healed[len(healed)-1])
}

func TestTheSameSeedGivesTheSameTrace(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		run := func() string {
			var b strings.Builder
			s := newSchedule(seed)
			s.w.Trace = func(l string) { b.WriteString(l + "\n") }
			if err := s.play(); err != nil {
				t.Error(err)
			}
			return b.String()
		}
		if a, b := run(), run(); a != b || strings.Count(a, "\n") < 1000 {
			t.Errorf("two runs of seed %d differ", seed)
		}
	}
}
