package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/bench/engine"
	"github.com/goconvoke/convoke/bench/report"
	"github.com/goconvoke/convoke/bench/scenario"
)

// job is one play.
type job struct {
	engine   string
	scenario scenario.Scenario
	run      int
	settings scenario.Settings
	traced   bool
}

// jobs lists all plays, the largest clusters last.
func (o options) jobs() []job {
	var jobs []job
	for _, n := range o.sizes {
		for _, s := range o.scenarios {
			if s.MaxMembers > 0 && n > s.MaxMembers {
				continue
			}
			for _, e := range o.engines {
				for r := range o.runs {
					settings := scenario.Settings{
						Members: n, Updates: (o.updates + o.runs - 1) / o.runs, Limit: o.limit, State: o.state * 1e6, Seed: o.seed + uint64(r),
					}
					jobs = append(jobs, job{e, s, r, settings, o.trace != ""})
				}
			}
		}
	}
	return jobs
}

// asTest calls a function as the only test of this program, and exits.
//
// The virtual clock is a bubble of testing/synctest, which can only be had from a *testing.T, and that only from package
// testing. Main is what runs the tests of a test binary; calling it here keeps "go run ." all that one needs to know, in one
// process, with flags of our own. Its output about tests goes to standard error.
func asTest(parallel int, play func(t *testing.T) error) {
	testing.Init()
	flags := []string{"-test.parallel=" + fmt.Sprint(parallel), "-test.timeout=0"}
	if err := flag.CommandLine.Parse(flags); err != nil {
		panic(err) // it exits on errors
	}
	os.Stdout = os.Stderr
	test := testing.InternalTest{Name: "Bench", F: func(t *testing.T) {
		if err := play(t); err != nil {
			t.Error(err)
		}
	}}
	every := func(string, string) (bool, error) { return true, nil }
	testing.Main(every, []testing.InternalTest{test}, nil, nil)
}

// playAll plays jobs as parts of a test, some at once, and returns their results in the same order.
func playAll(t *testing.T, jobs []job, progress io.Writer) []report.Result {
	results := make([]report.Result, len(jobs))
	t.Run("all", func(t *testing.T) { // returns when its parallel parts have ended
		for i, j := range jobs {
			t.Run(j.name(), func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				synctest.Test(t, func(*testing.T) { results[i] = j.play() })
				_, _ = fmt.Fprintf(progress, "%-40s %6.1f s %s\n", j.name(), time.Since(start).Seconds(), results[i].Error)
			})
		}
	})
	return results
}

func (j job) name() string {
	return strings.Join([]string{fmt.Sprint(j.settings.Members), j.scenario.Name, j.engine, fmt.Sprint(j.run)}, "/")
}

// play plays a job, in a bubble.
func (j job) play() report.Result {
	r := report.Result{Engine: j.engine, Members: j.settings.Members, Scenario: j.scenario.Name, Run: j.run}
	factory, err := engine.Lookup(j.engine)
	var samples scenario.Samples
	var trace bytes.Buffer
	if j.traced {
		j.settings.Trace = &trace
	}
	if err == nil {
		samples, err = j.scenario.Play(factory, j.settings)
	}
	switch {
	case errors.Is(err, scenario.ErrNotApplicable):
		r.Skipped = err.Error()
	case err != nil:
		r.Error = err.Error()
	}
	r.Samples, r.Trace = report.Rounded(samples), trace.Bytes()
	return r
}

// writeTrace writes who listed whom in each play, if that is wanted.
func (o options) writeTrace(results []report.Result) error {
	if o.trace == "" {
		return nil
	}
	f, err := os.Create(o.trace)
	if err != nil {
		return err
	}
	for _, r := range results {
		_, e := fmt.Fprintf(f, "# %d members, %s, %s, run %d\n%s", r.Members, r.Scenario, r.Engine, r.Run+1, r.Trace)
		err = errors.Join(err, e)
	}
	return errors.Join(err, f.Close())
}
