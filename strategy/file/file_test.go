package file_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/file"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// follow runs the strategy on files until the test ends.
func follow(t *testing.T, paths ...string) *strategytest.Sink {
	t.Helper()
	c := file.DefaultConfig()
	c.Paths, c.IDLabel, c.ZoneLabel, c.VersionLabel = paths, "id", "zone", "version"
	st := strategytest.New(t, file.Kind, c, strategy.Env{})
	ctx, cancel := context.WithCancel(context.Background())
	sink := new(strategytest.Sink)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = st.Run(ctx, sink) // it ends with the context
	}()
	t.Cleanup(func() { cancel(); <-done })
	return sink
}

// lastCall waits for longer than the interval with its jitter, and returns the last call and what stands after it.
func lastCall(sink *strategytest.Sink) strategytest.Call {
	time.Sleep(2500 * time.Millisecond)
	synctest.Wait()
	calls := sink.Calls()
	return calls[len(calls)-1]
}

func TestLabelsBecomeThePartsOfAPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "peers.yml")
		replace(t, path, "- targets: [node1:7946]\n  labels: {id: n1, zone: a, version: '2', rack: r1}\n")
		want := []peer.Peer{{Addr: "node1:7946", ID: "n1", Zone: "a", Version: "2", Attrs: "rack=r1"}}
		if diff := cmp.Diff(want, lastCall(follow(t, path)).Peers); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestFilesOfAPatternComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		sink := follow(t, filepath.Join(dir, "*.json"))
		for _, step := range []struct {
			do   func()
			want string
		}{
			{func() {}, "Set()"},
			{func() { replace(t, filepath.Join(dir, "a.json"), listing(t, "10.0.0.1:1", "10.0.0.2:1")) }, "Set(10.0.0.1:1 10.0.0.2:1)"},
			{func() { replace(t, filepath.Join(dir, "b.json"), listing(t, "10.0.0.2:1", "10.0.0.3:1")) }, "Set(10.0.0.1:1 10.0.0.2:1 10.0.0.3:1)"},
			{func() { must(t, os.Remove(filepath.Join(dir, "a.json"))) }, "Set(10.0.0.2:1 10.0.0.3:1)"},
		} {
			step.do()
			if got := lastCall(sink).String(); !strings.Contains(got, step.want) {
				t.Errorf("reported %s, want %s", got, step.want)
			}
		}
	})
}

func TestABadFileNamesItsPlaceAndTheOthersCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		replace(t, filepath.Join(dir, "good.json"), listing(t, "10.0.0.1:1"))
		bad := filepath.Join(dir, "bad.json")
		replace(t, bad, "[\n{\"targets\": 7}]")
		sink := follow(t, filepath.Join(dir, "*.json"))
		if got := lastCall(sink).String(); !strings.Contains(got, bad+": group 1: ") {
			t.Errorf("reported %s, want the file and the group", got)
		}
		if got := strategytest.Summary(sink.Calls()); got != "Add(10.0.0.1:1) Fail" {
			t.Errorf("reported %s", got)
		}
	})
}

func TestADirectoryThatCannotBeReadIsNotAnEmptyOne(t *testing.T) {
	for name, tc := range map[string]struct {
		pattern string
		setup   func(dir string) // makes what there is
		want    string
	}{
		"missing":         {"gone/*.json", func(string) {}, "Fail"},
		"a file":          {"d/*.json", func(dir string) { replace(t, filepath.Join(dir, "d"), "") }, "Fail"},
		"a loop of links": {"d/*.json", func(dir string) { must(t, os.Symlink("d", filepath.Join(dir, "d"))) }, "Fail"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				tc.setup(dir)
				sink := follow(t, filepath.Join(dir, tc.pattern))
				lastCall(sink)
				if got := strategytest.Summary(sink.Calls()); got != tc.want {
					t.Errorf("reported %s, want %s", got, tc.want)
				}
			})
		})
	}
}

func TestTooManyFilesAreAnErrorAndTheFirstAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for i := range 1001 {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.json", i)), []byte(listing(t, fmt.Sprintf("n%d:1", i))), 0o600))
		}
		sink := follow(t, filepath.Join(dir, "*.json"))
		lastCall(sink)
		calls := sink.Calls()
		if calls[0].Method != strategytest.Add || len(calls[0].Peers) != 1000 || calls[1].Method != strategytest.Fail ||
			!strings.Contains(calls[1].String(), "1001 files match") {
			t.Errorf("reported %d peers and %v", len(calls[0].Peers), calls[1])
		}
	})
}

func TestMistakesOfAConfigurationArePlaced(t *testing.T) {
	reg, err := strategy.NewRegistry(file.Kind)
	must(t, err)
	for config, want := range map[string]string{
		"{}":                              "paths: name the files",
		"{paths: [a.json, b.txt]}":        `t.yaml:1:18: paths[1]: "b.txt" ends in none of .json, .yml, .yaml`,
		"{paths: ['[.json']}":             "is not a pattern",
		"{paths: ['']}":                   "is empty",
		"{paths: ['*.d/a.json']}":         "only the name of the file may be one",
		"{paths: [a.json], interval: 0s}": "interval",
	} {
		var doc yaml.Node
		must(t, yaml.Unmarshal([]byte(config), &doc))
		if _, err := reg.Configure("file", doc.Content[0], strategy.Source{File: "t.yaml"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}
