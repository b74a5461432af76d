package integration

import (
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
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	embedded "github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/integration/agent"
	"github.com/goconvoke/convoke/integration/promlab"
	"github.com/goconvoke/convoke/ops/prom"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/static"
)

// killedFile is the same for all nodes. The source is asked often, so that each dial follows a lookup.
const killedFile = `cluster: killed
node: {name: "${NODE}", listen: "${LISTEN}", data_dir: "${DATA}"}
topologies:
  lan: {strategy: static, config: {hosts: [%s], interval: 2s}, expect: 3}
http: {listen: "${HTTP}"}
`

const (
	killedAlert = "ConvokeMemberDown"
	killedFor   = 5 * time.Second  // of the alert: 5 m in the rules as they are shipped
	missWithin  = 20 * time.Second // until a killed process is missed, scraped and its alert evaluated; 5 s on an idle machine
	sees        = 40 * time.Second
)

// killing is three agents in one cluster: the first in this process, where its spans are collected, the others in processes of their own.
type killing struct {
	t     *testing.T
	file  string
	nodes []scrapedNode
	spans *tracetest.InMemoryExporter
}

func startKilling(t *testing.T) *killing {
	t.Helper()
	dir, err := os.MkdirTemp("", "kil") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	k := &killing{t: t, file: filepath.Join(dir, "topology.yaml"), spans: tracetest.NewInMemoryExporter()}
	var hosts []string
	for _, name := range []string{"a", "b", "c"} {
		n := scrapedNode{name: name, listen: promlab.FreeAddr(t), http: promlab.FreeAddr(t), output: filepath.Join(t.ArtifactDir(), "agent-"+name+".log")}
		n.env = []string{"NODE=" + name, "LISTEN=" + n.listen, "DATA=" + filepath.Join(dir, name), "HTTP=" + n.http}
		k.nodes, hosts = append(k.nodes, n), append(hosts, `"`+n.listen+`"`)
	}
	if err := os.WriteFile(k.file, fmt.Appendf(nil, killedFile, strings.Join(hosts, ", ")), 0o600); err != nil {
		t.Fatal(err)
	}
	k.startHere(&k.nodes[0])
	for i := range k.nodes[1:] {
		n := &k.nodes[1+i]
		n.cmd = k.command(n, "agent", "--log-level", "debug")
		promlab.Run(t, n.cmd, n.output)
	}
	return k
}

// startHere starts an agent in this process, as a service does that embeds one.
func (k *killing) startHere(n *scrapedNode) {
	k.t.Helper()
	for _, e := range n.env {
		name, value, _ := strings.Cut(e, "=")
		k.t.Setenv(name, value)
	}
	log, err := os.Create(n.output)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = log.Close() })
	registry, err := strategy.NewRegistry(static.Kind)
	if err != nil {
		k.t.Fatal(err)
	}
	started, err := embedded.Start(k.t.Context(), k.file, embedded.Options{
		Strategies:     registry,
		Log:            hclog.New(&hclog.LoggerOptions{Name: "convoke", Level: hclog.Debug, Output: log}),
		Metrics:        func(n *embedded.Node) http.Handler { return prom.AgentHandler(n) },
		TracerProvider: sdk.NewTracerProvider(sdk.WithSyncer(k.spans)),
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(started.Stop)
}

// command returns a command of the program for the agent of a node.
func (k *killing) command(n *scrapedNode, args ...string) *exec.Cmd {
	cmd := exec.Command(agent.Binary(k.t), append(args, "-c", k.file)...)
	cmd.Env = append(os.Environ(), n.env...)
	return cmd
}

func TestAKilledNodeRaisesItsAlertAndIsNamedByPageStatusAndTrace(t *testing.T) {
	k := startKilling(t)
	p := promlab.Start(t, shortRules(t), targets(k.nodes)...)
	p.Await(60*time.Second, "three nodes are scraped and together, and no alert fires", func() bool {
		return len(p.Query("sum(convoke_topology_whole) == 3 and sum(up) == 3")) == 1 && len(p.Firing()) == 0
	})
	killed, dead := time.Now(), k.nodes[2]
	if err := dead.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var fired time.Time
	p.Await(killedFor+sees, killedAlert+" fires", func() (fires bool) {
		fired, fires = p.FiringSince(killedAlert)
		return fires
	})
	if after := fired.Sub(killed); after < killedFor || after > killedFor+missWithin {
		t.Errorf("%s fires %v after the kill, want between %v and %v", killedAlert, after, killedFor, killedFor+missWithin)
	} else {
		t.Logf("%s fires %v after the kill, of which %v are its time", killedAlert, after.Round(time.Millisecond), killedFor)
	}
	for what, read := range map[string]func() string{"the page": k.page, "convoke status": k.status} {
		k.names(what, read, dead, killed)
	}
	k.traced(dead)
}

func (k *killing) page() string {
	ctx, cancel := context.WithTimeout(k.t.Context(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+k.nodes[0].http+"/", nil)
	if err != nil {
		k.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		k.t.Fatalf("the page: %d, %v", resp.StatusCode, err)
	}
	return string(text)
}

func (k *killing) status() string {
	out, err := k.command(&k.nodes[0], "status").CombinedOutput()
	if err != nil {
		k.t.Fatalf("convoke status: %v\n%s", err, out)
	}
	return string(out)
}

var downSince = regexp.MustCompile(`(\S+) is down since (\d\d:\d\d:\d\d)`)

// names waits until a text names the peer that is down, since when, and why.
func (k *killing) names(what string, read func() string, dead scrapedNode, killed time.Time) {
	k.t.Helper()
	text, peer, since := "", "", time.Time{}
	for late := time.Now().Add(sees); ; time.Sleep(100 * time.Millisecond) {
		text = read()
		if m := downSince.FindStringSubmatch(text); m != nil && strings.Contains(text, "connection refused") {
			at, err := time.ParseInLocation(time.DateTime, killed.Format(time.DateOnly)+" "+m[2], time.Local)
			if err != nil {
				k.t.Fatal(err)
			}
			peer, since = m[1], at
			break
		}
		if time.Now().After(late) {
			k.t.Fatalf("%s shows no peer that is down with the reason:\n%s", what, text)
		}
	}
	if !strings.HasSuffix(peer, dead.name+"@"+dead.listen) {
		k.t.Errorf("%s names %s, want %s@%s", what, peer, dead.name, dead.listen)
	}
	if after := since.Sub(killed.Truncate(time.Second)); after < 0 || after > missWithin {
		k.t.Errorf("%s has it down since %v, %v after it was killed", what, since, after)
	}
}

// traced waits for one trace of the kill: a lookup, the round that is linked to it, the dial of that round, and its join and handshake that
// were refused.
func (k *killing) traced(dead scrapedNode) {
	k.t.Helper()
	for late := time.Now().Add(sees); ; time.Sleep(100 * time.Millisecond) {
		all := trace(k.spans.GetSpans())
		if slices.ContainsFunc(all.named("convoke.dial"), func(dial tracetest.SpanStub) bool { return all.leadsTo(dial, dead.listen) }) {
			return
		}
		if time.Now().After(late) {
			k.t.Fatalf("no trace leads from a lookup to a refused dial of %s: %+v", dead.listen, all.named("convoke.dial"))
		}
	}
}

// leadsTo reports whether a dial of an address was refused and follows from a round that is linked to a lookup of this topology.
func (t trace) leadsTo(dial tracetest.SpanStub, addr string) bool {
	refused := func(s tracetest.SpanStub) bool {
		return s.Status.Code == codes.Error && strings.Contains(s.Status.Description, "connection refused")
	}
	at := func(s tracetest.SpanStub) string {
		return value(s, "server.address") + ":" + value(s, "server.port")
	}
	joins := t.below(dial)
	if !refused(dial) || at(dial) != addr || len(joins) != 1 || joins[0].Name != "convoke.gossip.join" || !refused(joins[0]) {
		return false
	}
	handshakes := t.below(joins[0])
	if len(handshakes) != 1 || handshakes[0].Name != "convoke.gossip.handshake" || !refused(handshakes[0]) || at(handshakes[0]) != addr {
		return false
	}
	round := t.find(dial.Parent.SpanID().String())
	if round == nil || round.Name != "convoke.reconcile" || round.Parent.IsValid() || len(round.Links) == 0 {
		return false
	}
	lookup := t.find(round.Links[0].SpanContext.SpanID().String())
	return lookup != nil && lookup.Name == "convoke.lookup" && value(*lookup, "convoke.topology") == "lan" && value(dial, "convoke.topology") == "lan" &&
		value(*lookup, "convoke.strategy") == "static" && value(*lookup, "convoke.answer") == "complete" && value(*round, "convoke.dialled") != "0"
}
