package integration

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/promlab"
)

var idleFor = flag.Duration("idle", 30*time.Second, "for how long five agents have nothing to do")

const (
	idleLines  = 20               // lines of the log of a node, those of its start included
	idleSettle = 60 * time.Second // from the start until all are together and have a leader
	scrapeIdle = 15 * time.Second // as often as a Prometheus scrapes that was not configured otherwise for a short time
	looksEvery = time.Second
)

// A short run has the rules with durations of seconds, scraped each second: what would be pending in an hour fires in it.
func idleRules(t *testing.T) (rules string, every time.Duration) {
	t.Helper()
	if *idleFor < time.Hour/2 {
		return shortRules(t), time.Second
	}
	rules, err := filepath.Abs("../ops/mixin/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return rules, scrapeIdle
}

func TestFiveIdleAgentsRaiseNoAlertAndLogLittle(t *testing.T) {
	nodes := startScraped(t, filepath.Join(t.TempDir(), "topology.yaml"), "info", "a", "b", "c", "d", "e")
	rules, every := idleRules(t)
	p := promlab.StartEvery(t, every, rules, targets(nodes)...)
	together := fmt.Sprintf("sum(convoke_topology_whole) == %d and sum(convoke_quorum_leader_known) == %[1]d and sum(up) == %[1]d", len(nodes))
	p.Await(idleSettle, "all agents are scraped, together and have a leader, and no alert fires", func() bool {
		return len(p.Query(together)) == 1 && len(p.Firing()) == 0
	})
	begin := time.Now()
	for time.Since(begin) < *idleFor {
		time.Sleep(min(looksEvery, *idleFor))
		if firing := p.Firing(); len(firing) > 0 {
			t.Fatalf("%v after all were together these alerts fire: %v", time.Since(begin).Round(time.Second), slices.Collect(maps.Keys(firing)))
		}
	}
	over := fmt.Sprintf("[%ds]", int(time.Since(begin).Seconds()))
	for _, s := range p.Query("max by (alertname, alertstate) (max_over_time(ALERTS" + over + "))") {
		t.Logf("%s was %s", s.Metric["alertname"], s.Metric["alertstate"])
		if s.Metric["alertstate"] == "firing" {
			t.Errorf("%s fired", s.Metric["alertname"])
		}
	}
	if scraped := p.Query("min(avg_over_time(up" + over + "))"); len(scraped) != 1 || scraped[0].Value[1] != "1" {
		t.Errorf("scrapes that succeeded = %v, want all", scraped)
	}
	for _, n := range nodes {
		if lines := logLines(t, n); len(lines) > idleLines {
			t.Errorf("%s has logged %d lines in %v, want at most %d:\n%s", n.name, len(lines), *idleFor, idleLines, strings.Join(lines, "\n"))
		} else {
			t.Logf("%s has logged %d lines", n.name, len(lines))
		}
	}
}

// logLines returns what a node has written.
func logLines(t *testing.T, n scrapedNode) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(n.output)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		lines = append(lines, string(bytes.TrimSpace(line)))
	}
	return lines
}
