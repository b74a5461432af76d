// Package report turns samples into tables: medians and ranges, ratios between engines, and what is required of them.
package report

import (
	"math"
	"slices"
	"strconv"

	"github.com/goconvoke/convoke/bench/scenario"
)

// Result is what one play brought.
type Result struct {
	Engine   string              `json:"engine"`
	Members  int                 `json:"members"`
	Scenario string              `json:"scenario"`
	Run      int                 `json:"run"`
	Samples  map[string][]Sample `json:"samples,omitempty"`
	Error    string              `json:"error,omitempty"`
	Trace    []byte              `json:"-"`                 // each change of a member list, with its time
	Skipped  string              `json:"skipped,omitempty"` // why the scenario has no result for the engine
}

// Sample is a figure; +Inf, null in JSON, is what did not happen within the limit.
type Sample float64

// MarshalJSON writes a number or null.
func (s Sample) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(s), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(s), 'f', -1, 64), nil
}

// Rounded returns samples with as many digits as they are worth: microseconds, tenths of a byte.
func Rounded(samples scenario.Samples) map[string][]Sample {
	out := make(map[string][]Sample, len(samples))
	for key, values := range samples {
		for _, v := range values {
			out[key] = append(out[key], Sample(math.Round(v*1e6)/1e6))
		}
	}
	return out
}

// stat sums up samples.
type stat struct {
	count           int
	median          float64
	lowest, highest float64
	sum             float64
}

func newStat(samples []Sample) stat {
	if len(samples) == 0 {
		return stat{}
	}
	s := slices.Sorted(slices.Values(samples))
	st := stat{count: len(s), lowest: float64(s[0]), highest: float64(s[len(s)-1])}
	st.median = float64(s[len(s)/2])
	if low := float64(s[(len(s)-1)/2]); low != st.median { // two middle ones
		st.median = (low + st.median) / 2
	}
	for _, v := range s {
		st.sum += float64(v)
	}
	return st
}

// results are all of a run of the bench.
type results []Result

// stat sums up one metric of one engine over all runs.
func (rs results) stat(members int, scenario, engine, key string) stat {
	var all []Sample
	for _, r := range rs {
		if r.Members == members && r.Scenario == scenario && r.Engine == engine {
			all = append(all, r.Samples[key]...)
		}
	}
	return newStat(all)
}

// sizes returns the numbers of members, engines the engines, each in order of appearance.
func (rs results) sizes() []int {
	var out []int
	for _, r := range rs {
		if !slices.Contains(out, r.Members) {
			out = append(out, r.Members)
		}
	}
	return out
}

func (rs results) engines() []string {
	var out []string
	for _, r := range rs {
		if !slices.Contains(out, r.Engine) {
			out = append(out, r.Engine)
		}
	}
	return out
}
