package integration

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/integration/agent"
	"github.com/goconvoke/convoke/integration/promlab"
)

var loadMembers = flag.Int("members", 256, "members beside 1,000 requests a second, the agent included")

const (
	loadReaders = 32 // of events, of which one does not read
	loadConns   = 24 // the agent has 64, which the readers use too
	loadCalm    = 50 // requests a second without load
	loadFull    = 1000
	loadFor     = 10 * time.Second
	loadForm    = 5 * time.Minute // 256 members in one process on a busy machine
	loadWrites  = 250 * time.Millisecond
	scrapeEvery = 500 * time.Millisecond
)

// loadPaths are what the requests ask for; all of them are answered from what the node knows. Metrics are not among them: a few scrapes at once are all that
// an agent answers.
var loadPaths = []string{"/livez", "/readyz", "/api/v1/status", "/api/v1/members?limit=20", "/api/v1/members/m001", "/api/v1/links", "/"}

const loadFile = `cluster: load
node: {name: agent, listen: "127.0.0.1:0", data_dir: %q}
topologies: {lan: {strategy: static, config: {hosts: [%q]}, expect: 2}}
http: {listen: %q}
`

func TestAThousandRequestsASecondLeaveMembershipAlone(t *testing.T) {
	members := startMembers(t, *loadMembers-1)
	n := startLoaded(t, members[0].Addr())
	awaitText(t, n, `convoke_gossip_members{cluster_name="load",status="up"}`, fmt.Sprintf(" %d\n", *loadMembers), loadForm)
	lostBefore := lostMembers(members)
	stop := writeOften(t, members)
	defer stop()

	calm, _ := measureRequests(t, n, loadCalm)
	before := propagation(t, n)
	readers := startReaders(t, n)
	busy, phi := measureRequests(t, n, loadFull)
	after := propagation(t, n)
	readers.check(t, n)

	if lost := lostMembers(members) - lostBefore; lost != 0 {
		t.Errorf("members were lost %d times meanwhile", lost)
	}
	awaitText(t, n, `convoke_gossip_member_changes_total{change="lost",cluster_name="load"}`, " 0\n", time.Second)
	awaitText(t, n, `convoke_gossip_members{cluster_name="load",status="up"}`, fmt.Sprintf(" %d\n", *loadMembers), loadForm)
	t.Logf("%d members; requests at %d/s: %v; at %.0f/s beside %d readers of events: %v; p99 is %.1f times as long", *loadMembers, loadCalm, calm, busy.rate, loadReaders,
		busy, busy.at(0.99).Seconds()/calm.at(0.99).Seconds())
	t.Logf("greatest phi of a link of the agent meanwhile: %.2f (a link is dead at 100); writes of others took a mean of %v to it without load, %v under it",
		phi, before.mean(propagated{}), after.mean(before))
}

// startMembers runs members in this process, joined through a few of them.
func startMembers(t *testing.T, count int) []*gossip.Node {
	t.Helper()
	nodes := make([]*gossip.Node, count)
	t.Cleanup(func() {
		var all sync.WaitGroup
		for _, n := range nodes {
			if n != nil {
				all.Go(n.Stop)
			}
		}
		all.Wait()
	})
	var joins sync.WaitGroup
	defer joins.Wait()
	for i := range nodes {
		n, err := gossip.Start(gossip.Config{Name: fmt.Sprintf("m%03d", i), ClusterID: "load", Listen: "127.0.0.1:0", Log: hclog.NewNullLogger()})
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = n
		if i > 0 {
			to := nodes[rand.IntN(min(i, 8))].Addr()
			joins.Go(func() { _ = n.Join(t.Context(), to) }) // tried again until it succeeds; the agent is asked for all of them
		}
	}
	return nodes
}

// startLoaded runs the agent, in a process of its own.
func startLoaded(t *testing.T, host string) scrapedNode {
	t.Helper()
	dir, err := os.MkdirTemp("", "ld") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := scrapedNode{name: "agent", http: promlab.FreeAddr(t), output: filepath.Join(t.ArtifactDir(), "agent.log")}
	file := filepath.Join(dir, "topology.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, loadFile, filepath.Join(dir, "data"), host, n.http), 0o600); err != nil {
		t.Fatal(err)
	}
	n.cmd = exec.Command(agent.Binary(t), "agent", "-c", file)
	promlab.Run(t, n.cmd, n.output)
	return n
}

func lostMembers(nodes []*gossip.Node) (lost uint64) {
	for _, n := range nodes {
		lost += n.Counters().Changes.Lost
	}
	return lost
}

// writeOften has members write the shared map, until stop is called, so that it shows how long updates take to the agent.
func writeOften(t *testing.T, members []*gossip.Node) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		again := time.NewTicker(loadWrites)
		defer again.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			if err := members[i%len(members)].Shared().Set(ctx, fmt.Sprint("k", i%100), fmt.Sprint(i)); err != nil && ctx.Err() == nil {
				t.Errorf("write %d: %v", i, err)
			}
			select {
			case <-again.C:
			case <-ctx.Done():
			}
		}
	})
	return func() { cancel(); writer.Wait() }
}

// latencies are those of requests, sorted.
type latencies struct {
	all  []time.Duration
	rate float64 // requests a second
}

// at returns the latency below which a share of the requests is.
func (l latencies) at(share float64) time.Duration { return l.all[int(share*float64(len(l.all)-1))] }

func (l latencies) String() string {
	return fmt.Sprintf("median %v, p99 %v, max %v", l.at(0.5).Round(10*time.Microsecond), l.at(0.99).Round(10*time.Microsecond), l.at(1).Round(10*time.Microsecond))
}

// measureRequests sends requests at a rate for a while. A request that is due while all connections are in use waits, and the wait counts. It also
// returns the greatest suspicion of a link of the agent that the metrics showed.
func measureRequests(t *testing.T, n scrapedNode, rate int) (l latencies, phi float64) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxConnsPerHost: loadConns, MaxIdleConnsPerHost: loadConns}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var calls, scrapes sync.WaitGroup
	var failed error
	begin := time.Now()
	done := make(chan struct{})
	scrapes.Go(func() {
		again := time.NewTicker(scrapeEvery)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				phi = max(phi, metricValue(metricsText(t, n), "convoke_gossip_link_phi_max"))
			case <-done:
				return
			}
		}
	})
	due := make(chan time.Time)
	for range loadConns {
		calls.Go(func() {
			for at := range due {
				err := get(client, "http://"+n.http+loadPaths[rand.IntN(len(loadPaths))])
				mu.Lock()
				l.all, failed = append(l.all, time.Since(at)), cmp.Or(failed, err)
				mu.Unlock()
			}
		})
	}
	for i := range int(loadFor.Seconds()) * rate {
		at := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(at))
		due <- at
	}
	close(due)
	calls.Wait()
	close(done)
	scrapes.Wait()
	if failed != nil {
		t.Errorf("at %d requests a second: %v", rate, failed)
	}
	l.rate = float64(len(l.all)) / time.Since(begin).Seconds()
	slices.Sort(l.all)
	return l, phi
}

// get reads a page, which must be there.
func get(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// metricValue returns the value of the first series of a metric in a text, 0 without one.
func metricValue(text, name string) float64 {
	_, rest, found := strings.Cut(text, "\n"+name+"{")
	if !found {
		return 0
	}
	line, _, _ := strings.Cut(rest, "\n")
	v, _ := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
	return v
}

// propagated is how many writes of others have reached the agent, and how long they took together.
type propagated struct{ count, seconds float64 }

func propagation(t *testing.T, n scrapedNode) propagated {
	text := metricsText(t, n)
	return propagated{metricValue(text, "convoke_gossip_propagation_seconds_count"), metricValue(text, "convoke_gossip_propagation_seconds_sum")}
}

// mean returns that of the writes since earlier ones.
func (p propagated) mean(since propagated) time.Duration {
	return time.Duration((p.seconds - since.seconds) / max(1, p.count-since.count) * float64(time.Second)).Round(100 * time.Microsecond)
}

// eventReaders read the events of an agent; one does not, and keeps its connection open.
type eventReaders struct {
	got [loadReaders - 1]atomic.Int64 // events by reader
}

func startReaders(t *testing.T, n scrapedNode) *eventReaders {
	t.Helper()
	r := &eventReaders{}
	for i := range loadReaders {
		c, err := net.Dial("tcp", n.http)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(c, "GET /api/v1/events HTTP/1.1\r\nHost: %s\r\n\r\n", n.http); err != nil {
			t.Fatal(err)
		}
		if i == loadReaders-1 {
			t.Cleanup(func() { _ = c.Close() })
			return r
		}
		lines := bufio.NewScanner(c)
		if !lines.Scan() || !strings.Contains(lines.Text(), "200") {
			t.Fatalf("reader %d: %q, %v", i, lines.Text(), lines.Err())
		}
		var reader sync.WaitGroup
		reader.Go(func() {
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "event: event") {
					r.got[i].Add(1)
				}
			}
		})
		t.Cleanup(func() { _ = c.Close(); reader.Wait() })
	}
	return r
}

// check has the agent reload its file, which is an event, and waits until each reader has it.
func (r *eventReaders) check(t *testing.T, n scrapedNode) {
	t.Helper()
	before := make([]int64, len(r.got))
	for i := range r.got {
		before[i] = r.got[i].Load()
	}
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		waiting := 0
		for i := range r.got {
			if r.got[i].Load() == before[i] {
				waiting++
			}
		}
		if waiting == 0 {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("%d of %d readers did not get an event", waiting, len(r.got))
		}
	}
}
