package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/agent"
	"github.com/goconvoke/convoke/integration/lab"
	"github.com/goconvoke/convoke/integration/promlab"
)

const (
	conflictFor     = 15 // scrapes
	quietFor        = 5  // scrapes before and after
	conflictEndsIn  = 90 // scrapes: a look for the other process is at most 72 s away
	alertEndsWithin = 5*time.Minute + 5*time.Second
)

var conflictSeries = regexp.MustCompile(`(?m)^(convoke_gossip_name_conflicts?(?:_total)?)\{([^}]*)\} (\S+)$`)

// conflictScrapes are the series about conflicts of names, one value a second, as promtool takes them.
type conflictScrapes struct {
	t       *testing.T
	ticks   int
	values  map[string][]string // by series; "_" where a scrape had none
	waiting []bool              // by tick: some node is out because another process has its name
}

// scrape takes one value of each series of agents, by instance.
func (c *conflictScrapes) scrape(agents map[string]scrapedNode) (out bool) {
	for instance, n := range agents {
		for _, m := range conflictSeries.FindAllStringSubmatch(metricsText(c.t, n), -1) {
			series := fmt.Sprintf(`%s{instance=%q,%s}`, m[1], instance, m[2])
			for len(c.values[series]) < c.ticks {
				c.values[series] = append(c.values[series], "_")
			}
			c.values[series] = append(c.values[series], m[3])
			out = out || m[1] == "convoke_gossip_name_conflict" && m[3] == "1"
		}
	}
	c.ticks++
	for series, values := range c.values {
		if len(values) < c.ticks {
			c.values[series] = append(values, "_")
		}
	}
	c.waiting = append(c.waiting, out)
	return out
}

// metricsText returns the metrics of an agent, "" if it does not answer.
func metricsText(t *testing.T, n scrapedNode) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.http+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return ""
	}
	return string(text)
}

// rulesTest is the test for promtool: the alert fires in each second in which some node is out, not before, and no longer at the end of the
// scrapes, whose last values stay.
func (c *conflictScrapes) rulesTest(rules string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "rule_files: [%q]\nevaluation_interval: 1s\ntests:\n  - interval: 1s\n    input_series:\n", rules)
	for series, values := range c.values {
		last := values[len(values)-1]
		fmt.Fprintf(&b, "      - {series: '%s', values: '%s %sx%d'}\n", series, strings.Join(values, " "), last, int(alertEndsWithin.Seconds()))
	}
	b.WriteString("    promql_expr_test:\n")
	check := func(at int, samples string) {
		fmt.Fprintf(&b, "      - {expr: 'count(ALERTS{alertname=\"ConvokeNameConflict\", alertstate=\"firing\"}) > bool 0', eval_time: %ds, exp_samples: [%s]}\n", at, samples)
	}
	for at, out := range c.waiting {
		switch {
		case out:
			check(at, "{labels: '{}', value: 1}")
		case at < quietFor:
			check(at, "")
		}
	}
	check(c.ticks+int(alertEndsWithin.Seconds())-1, "")
	return b.Bytes()
}

func TestTheAlertOfANameConflictFiresWhileItLastsAndEndsAfterIt(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		lab.Missing(t, "promtool: install the package prometheus")
	}
	file := filepath.Join(t.TempDir(), "topology.yaml")
	nodes := startScraped(t, file, "info", "a", "b", "c")
	agents := map[string]scrapedNode{"a": nodes[0], "b": nodes[1], "c": nodes[2]}
	awaitText(t, nodes[0], "convoke_topology_whole{", " 1\n", time.Minute)
	c := &conflictScrapes{t: t, values: map[string][]string{}}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	next := func() bool { <-second.C; return c.scrape(agents) }
	for range quietFor {
		next()
	}
	twin := startTwin(t, file, nodes[0])
	agents["twin"] = twin
	for ticks, out := 0, 0; out < conflictFor; ticks++ {
		if next() {
			out++
		}
		if ticks > conflictEndsIn {
			t.Fatal("no node was out because of its name for long enough")
		}
	}
	if err := twin.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	delete(agents, "twin")
	for ticks, quiet := 0, 0; quiet < quietFor; ticks++ {
		if quiet++; next() {
			quiet = 0
		}
		if ticks > conflictEndsIn {
			t.Fatal("the name was not taken back")
		}
	}
	rules, err := filepath.Abs("../ops/mixin/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.ArtifactDir(), "conflict_test.yaml")
	if err := os.WriteFile(path, c.rulesTest(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// startTwin runs another process with the name of an agent.
func startTwin(t *testing.T, file string, of scrapedNode) scrapedNode {
	t.Helper()
	n := scrapedNode{name: of.name, listen: promlab.FreeAddr(t), http: promlab.FreeAddr(t), output: filepath.Join(t.ArtifactDir(), "agent-twin.log")}
	n.env = append(slices.Clone(of.env), "LISTEN="+n.listen, "DATA="+filepath.Join(filepath.Dir(of.data), "twin"), "HTTP="+n.http)
	n.cmd = exec.Command(agent.Binary(t), "agent", "-c", file)
	n.cmd.Env = n.env
	promlab.Run(t, n.cmd, n.output)
	return n
}

// awaitText waits until a line of the metrics of an agent has this beginning and this end.
func awaitText(t *testing.T, n scrapedNode, begin, end string, limit time.Duration) {
	t.Helper()
	for late := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		for line := range strings.Lines(metricsText(t, n)) {
			if strings.HasPrefix(line, begin) && strings.HasSuffix(line, end) {
				return
			}
		}
		if time.Now().After(late) {
			t.Fatalf("%s has no line %s…%s", n.name, begin, strings.TrimSpace(end))
		}
	}
}
