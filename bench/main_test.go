package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/bench/election"
	"github.com/goconvoke/convoke/bench/report"
)

func TestEveryEnginePlaysEveryScenario(t *testing.T) {
	o, err := parse([]string{"-n", "8", "-runs", "1", "-updates", "20", "-state", "1", "-limit", "5m"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.trace = "wanted"
	results := playAll(t, o.jobs(), t.Output())
	for _, r := range results {
		if r.Error != "" {
			t.Errorf("%s, %s: %s", r.Engine, r.Scenario, r.Error)
		}
		for _, s := range o.scenarios {
			for _, m := range s.Metrics {
				if s.Name == r.Scenario && r.Skipped == "" && len(r.Samples[m.Key]) == 0 {
					t.Errorf("%s, %s: no sample of %s", r.Engine, r.Scenario, m.Key)
				}
			}
		}
	}
	checkGossip(t, results)
	checkTrace(t, o, results)
	var out bytes.Buffer
	if err := report.Virtual(&out, report.Head{Environment: report.Here()}, o.scenarios, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## 8 members", "gossip/memberlist", "### Join storm", "### Shared data", "### Isolated", "### Busy", "serf: not applicable"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

// checkTrace looks for the cuts of scenario busy in the trace.
func checkTrace(t *testing.T, o options, results []report.Result) {
	o.trace = filepath.Join(t.TempDir(), "trace")
	if err := o.writeTrace(results); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(o.trace)
	if n := strings.Count(string(b), "cut off: ["); n != 2*len(o.engines) || err != nil {
		t.Errorf("the trace has %d cuts, %v; want two of each engine", n, err)
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
			"busy/heal": 15, "busy/lost": 0, "bulk/whole": 5, "bulk/lost": 0,
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
		"-n 3", "-n x", "-n", "-engines raft", "-scenarios flood", "-runs 0", "-updates 0", "-parallel 0", "-limit 1s", "-state 0", "-state 49",
		"-mode real", "16",
	} {
		if _, err := parse(strings.Fields(line), io.Discard); err == nil {
			t.Errorf("parse(%q) = nil error", line)
		}
	}
}

func TestElectionsHaveARowForEachContender(t *testing.T) {
	var plays []election.Play
	for _, p := range election.Plays(1) {
		if p.Virtual && p.Name != "convoke, idle" { // which takes long
			plays = append(plays, p)
		}
	}
	rows, err := playElections(t, plays, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if len(r.Samples) == 0 {
			t.Errorf("%s of %s has no sample", r.Measure, r.Contender)
		}
	}
	var out bytes.Buffer
	if err := report.Election(&out, report.Head{Environment: report.Here()}, rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"leader killed → next commit, 5 voters | convoke", "hashicorp/raft, timeouts ÷ 10", "first leader | convoke", "shards of others disturbed, 3 voters"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}
