package integration

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/agent"
	"github.com/goconvoke/convoke/integration/promlab"
)

// scrapedFile is the same for all nodes, so that their hash of it is.
const scrapedFile = `cluster: scraped
node: {name: "${NODE}", listen: "${LISTEN}", data_dir: "${DATA}"}
topologies:
  here: {strategy: local, config: {dir: "${MEET}"}, expect: %d}
quorum: {lease: 1s}
http: {listen: "${HTTP}"}
`

// scrapedNode is one agent that Prometheus scrapes.
type scrapedNode struct {
	name   string
	cmd    *exec.Cmd
	listen string // host:port of the node
	http   string // host:port of its API
	env    []string
	data   string // its data directory
	output string // the file with all that it writes
}

// startScraped runs agents of these names on loopback.
func startScraped(t *testing.T, file, level string, names ...string) (nodes []scrapedNode) {
	t.Helper()
	dir, err := os.MkdirTemp("", "prm") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.WriteFile(file, fmt.Appendf(nil, scrapedFile, len(names)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		n := scrapedNode{name: name, listen: promlab.FreeAddr(t), http: promlab.FreeAddr(t), data: filepath.Join(dir, name)}
		n.output = filepath.Join(t.ArtifactDir(), "agent-"+name+".log")
		n.env = append(os.Environ(), "NODE="+name, "LISTEN="+n.listen, "DATA="+n.data, "MEET="+filepath.Join(dir, "meet"), "HTTP="+n.http)
		n.cmd = exec.Command(agent.Binary(t), "agent", "-c", file, "--log-level", level)
		n.cmd.Env = n.env
		promlab.Run(t, n.cmd, n.output)
		nodes = append(nodes, n)
	}
	return nodes
}

// targets returns what Prometheus scrapes.
func targets(nodes []scrapedNode) (addrs []string) {
	for _, n := range nodes {
		addrs = append(addrs, n.http)
	}
	return addrs
}

var ruleTime = regexp.MustCompile(`(?m)^( +for: \d+)m$`)

// shortRules writes the alerts of the project with seconds for the minutes of each `for`, and nothing else changed. That the durations
// are kept as they are shipped is tested by promtool (ops/mixin/alerts_test.yaml).
func shortRules(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../ops/mixin/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if kept, all := ruleTime.FindAll(text, -1), strings.Count(string(text), " for: "); len(kept) != all {
		t.Fatalf("%d of %d durations are whole minutes: the others would stay", len(kept), all)
	}
	path := filepath.Join(t.TempDir(), "alerts.yaml")
	if err := os.WriteFile(path, ruleTime.ReplaceAll(text, []byte("${1}s")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAlertsFireWhenANodeIsKilledAndAreQuietWhileAllIsWell(t *testing.T) {
	file := filepath.Join(t.TempDir(), "topology.yaml")
	nodes := startScraped(t, file, "debug", "a", "b", "c")
	electLeader(t, file, nodes[0])
	p := promlab.Start(t, shortRules(t), targets(nodes)...)
	p.Await(60*time.Second, "three nodes are scraped, together, and have a leader", func() bool {
		whole, leads := p.Query("sum(convoke_topology_whole) == 3"), p.Query("sum(convoke_quorum_is_leader) == 1 and sum(convoke_quorum_leader_known) == 3")
		return len(whole) == 1 && len(leads) == 1 && len(p.Query("convoke_quorum_group_shards")) > 0 && len(p.Firing()) == 0
	})
	for until := time.Now().Add(15 * time.Second); time.Now().Before(until); time.Sleep(500 * time.Millisecond) {
		if firing := p.Firing(); len(firing) > 0 {
			t.Fatalf("all is well, and these alerts fire: %v", firing)
		}
	}
	checkDashboard(t, p)

	killed := time.Now()
	_ = nodes[2].cmd.Process.Kill()
	p.Await(40*time.Second, "the alerts about the node that was killed", func() bool {
		firing := p.Firing()
		return firing["ConvokeMemberDown"] && firing["ConvokeNotWhole"] && firing["ConvokeNodesMissing"]
	})
	t.Logf("the alerts fired %v after the kill, with seconds for minutes", time.Since(killed).Round(time.Millisecond))
	for name := range p.Firing() {
		if name == "ConvokePartitioned" || name == "ConvokeIsolated" || name == "ConvokeQuorumWithoutLeader" {
			t.Errorf("%s fires, though no node is cut off and two of three voters are there", name)
		}
	}
}

// electLeader runs a command that leads, so that the quorum has a group.
func electLeader(t *testing.T, file string, n scrapedNode) {
	t.Helper()
	cmd := exec.Command(agent.Binary(t), "elect", "billing", "-c", file, "--", "sleep", "300")
	cmd.Env = n.env
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if c, err := net.Dial("tcp", n.http); err == nil {
			_ = c.Close()
			break
		} else if time.Now().After(late) {
			t.Fatal(err)
		}
	}
	promlab.Run(t, cmd, filepath.Join(t.ArtifactDir(), "elect.log"))
}

// checkDashboard runs every query of the dashboard, each of which must return data.
func checkDashboard(t *testing.T, p *promlab.Server) {
	t.Helper()
	text, err := os.ReadFile("../ops/mixin/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			expr := strings.NewReplacer("$cluster", "scraped", "$__rate_interval", "5m").Replace(target.Expr)
			if got := p.Query(expr); len(got) == 0 {
				t.Errorf("panel %q: no data for %s", panel.Title, expr)
			}
		}
	}
	if queries < 30 {
		t.Errorf("the dashboard has %d queries: this test looks for the wrong keys", queries)
	}
}
