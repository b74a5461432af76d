// Command bench compares membership engines: gossip of this project, hashicorp/memberlist and hashicorp/serf, each with its
// default settings, in the same scenarios, over the same network, in one run. README.md describes how.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/bench/election"
	"github.com/goconvoke/convoke/bench/engine"
	"github.com/goconvoke/convoke/bench/report"
	"github.com/goconvoke/convoke/bench/scenario"
	"github.com/goconvoke/convoke/bench/sockets"
)

// options are the flags of the command line.
type options struct {
	mode      string
	sizes     []int
	engines   []string
	scenarios []scenario.Scenario
	runs      int
	updates   int
	state     int // in MB
	seed      uint64
	limit     time.Duration
	measure   time.Duration
	parallel  int
	out, json string
	trace     string
}

// virtualGCPercent and virtualMemory bound the heap in virtual mode: a third of the CPU time is garbage collection at the default of
// 100 percent, and no figure depends on it, as the clock is virtual.
const (
	virtualGCPercent = 800
	virtualMemory    = 4 << 30
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is main, with what it writes to.
func run(args []string, stdout, stderr io.Writer) error {
	if sockets.IsChild(args) {
		return sockets.Child(args, stdout)
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	head := report.Head{
		Command: "go run . " + strings.Join(args, " "), Runs: o.runs, Seed: o.seed, Limit: o.limit, Updates: o.updates,
		Environment: report.Here(),
	}
	if o.mode == "sockets" {
		results, err := sockets.Measure(o.engines, o.sizes, o.limit, o.measure, stderr)
		written := o.write(stdout, results, func(w io.Writer) error { return report.Sockets(w, head, o.measure, results) })
		return errors.Join(err, written)
	}
	if o.mode == "quorum" {
		asTest(o.parallel, func(t *testing.T) error {
			rows, err := playElections(t, election.Plays(o.runs), stderr)
			return errors.Join(err, o.write(stdout, rows, func(w io.Writer) error { return report.Election(w, head, rows) }))
		})
		return nil
	}
	debug.SetGCPercent(virtualGCPercent)
	debug.SetMemoryLimit(virtualMemory)
	asTest(o.parallel, func(t *testing.T) error {
		results := playAll(t, o.jobs(), stderr)
		if err := o.writeTrace(results); err != nil {
			return err
		}
		return o.write(stdout, results, func(w io.Writer) error { return report.Virtual(w, head, o.scenarios, results) })
	})
	return nil
}

// parse reads the command line.
func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var sizes, engines, scenarios string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.mode, "mode", "virtual", "virtual: scenarios on a virtual clock; sockets: a join storm and what idle members cost on real sockets; quorum: leaders, shards and commits")
	f.StringVar(&sizes, "n", "16,64,256", "numbers of members")
	f.StringVar(&engines, "engines", strings.Join(engine.Names(), ","), "engines to compare")
	f.StringVar(&scenarios, "scenarios", "", "scenarios to play, \"loss\" for all with loss; empty: all")
	f.IntVar(&o.runs, "runs", 3, "plays of each scenario, with fresh clusters")
	f.IntVar(&o.updates, "updates", 1000, "updates in the series of one engine and number of members, over all runs")
	f.IntVar(&o.state, "state", 32, "size of the state in scenario bulk, in MB, 1 to 48")
	f.Uint64Var(&o.seed, "seed", 1, "of the network and of what happens to whom; engines have chance of their own")
	f.DurationVar(&o.limit, "limit", 300*time.Second, "after which what has not happened counts as never; with -mode sockets: until all members know each other")
	f.DurationVar(&o.measure, "measure", 30*time.Second, "with -mode sockets: how long CPU time is measured")
	f.IntVar(&o.parallel, "parallel", runtime.GOMAXPROCS(0), "plays at once; the virtual clock does not mind")
	f.StringVar(&o.out, "o", "", "file for the report; empty: standard output")
	f.StringVar(&o.json, "json", "", "file for all samples")
	f.StringVar(&o.trace, "trace", "", "file for the changes of each member list, in each play")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q, see -help", f.Arg(0))
	}
	return o, o.set(sizes, engines, scenarios)
}

// set checks the lists and numbers of the command line.
func (o *options) set(sizes, engines, scenarios string) (err error) {
	for _, s := range list(sizes) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 4 || n > 4096 {
			return fmt.Errorf("-n: %q is not a number of members, want 4 to 4096", s)
		}
		o.sizes = append(o.sizes, n)
	}
	for _, name := range list(engines) {
		if _, err := engine.Lookup(name); err != nil {
			return fmt.Errorf("-engines: %w", err)
		}
		o.engines = append(o.engines, name)
	}
	if o.scenarios, err = scenario.Select(list(scenarios)); err != nil {
		return fmt.Errorf("-scenarios: %w", err)
	}
	switch {
	case len(o.sizes) == 0 || len(o.engines) == 0:
		return errors.New("-n and -engines need one entry at least")
	case o.runs < 1 || o.updates < 1 || o.parallel < 1:
		return errors.New("-runs, -updates and -parallel need to be 1 at least")
	case o.state < 1 || o.state > 48:
		return fmt.Errorf("-state: %d MB, want 1 to 48", o.state)
	case o.limit < time.Minute || o.measure < time.Second:
		return errors.New("-limit needs to be 1m at least, -measure 1s")
	case !slices.Contains([]string{"virtual", "sockets", "quorum"}, o.mode):
		return fmt.Errorf("-mode: %q, want virtual, sockets or quorum", o.mode)
	}
	return nil
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// write writes the samples and the report to where they are wanted.
func (o options) write(stdout io.Writer, results any, text func(io.Writer) error) error {
	if o.json != "" {
		b, err := json.MarshalIndent(results, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.json, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.out == "" {
		return text(stdout)
	}
	f, err := os.Create(o.out)
	if err != nil {
		return err
	}
	return errors.Join(text(f), f.Close())
}
