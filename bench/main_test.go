package main

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/bench/report"
)

func TestEveryEnginePlaysEveryScenario(t *testing.T) {
	o, err := parse([]string{"-n", "8", "-runs", "1", "-updates", "20", "-limit", "5m"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	results := playAll(t, o.jobs(), t.Output())
	for _, r := range results {
		if r.Error != "" {
			t.Errorf("%s, %s: %s", r.Engine, r.Scenario, r.Error)
		}
		for _, s := range o.scenarios {
			for _, m := range s.Metrics {
				if s.Name == r.Scenario && len(r.Samples[m.Key]) == 0 {
					t.Errorf("%s, %s: no sample of %s", r.Engine, r.Scenario, m.Key)
				}
			}
		}
	}
	checkGossip(t, results)
	var out bytes.Buffer
	if err := report.Virtual(&out, report.Head{Environment: report.Here()}, o.scenarios, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## 8 members", "gossip/memberlist", "### Join storm", "### Shared data", "### Isolated"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

// checkGossip holds figures against bounds so wide that only a broken bench, or a broken engine, crosses them.
func checkGossip(t *testing.T, results []report.Result) {
	for _, r := range results {
		if r.Engine != "gossip" {
			continue
		}
		for key, most := range map[string]float64{
			"join/whole": 2, "crash/last": 1, "silent/last": 10, "update/last": 1, "partition/heal": 15, "isolated/knows": 10,
			"loss-10/false": 0, "stall/healthy": 0, "throughput/slowest": 1, "shared/slowest": 1,
		} {
			scenario, metric, _ := strings.Cut(key, "/")
			for _, v := range r.Samples[metric] {
				if r.Scenario == scenario && (float64(v) > most || math.IsNaN(float64(v))) {
					t.Errorf("gossip, %s = %v, want at most %v", key, v, most)
				}
			}
		}
	}
}

func TestACommandLineThatMakesNoSenseIsRefused(t *testing.T) {
	for _, line := range []string{
		"-n 3", "-n x", "-n", "-engines raft", "-scenarios flood", "-runs 0", "-updates 0", "-parallel 0", "-limit 1s",
		"-mode real", "16",
	} {
		if _, err := parse(strings.Fields(line), io.Discard); err == nil {
			t.Errorf("parse(%q) = nil error", line)
		}
	}
}
