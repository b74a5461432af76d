package builtin_test

import (
	"cmp"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/builtin"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// The states of a source.
const (
	complete = "complete answer" // of 10.0.0.1:1 and 10.0.0.2:1
	nothing  = "nothing there"
	part     = "part missing" // 10.0.0.1:1 is known
	broken   = "error"
	hang     = "hang"
	garbage  = "garbage"
	panics   = "panic"
)

// The two nodes of a source.
const (
	first  = "10.0.0.1:1"
	second = "10.0.0.2:1"
	both   = "Set(" + first + " " + second + ")"
)

// contract is the failure contract: what the sink of each strategy receives in each state of its source,
// from a start in that state as well as after a complete answer, which stands then. Errors and repetitions are left
// out. "refused" means that the configuration is, "crash" that Run returns, so that it is restarted; a
// state that is not listed does not exist for the strategy.
var contract = []struct {
	strategy string
	setup    func(tb testing.TB) testSource
	want     map[string]string
	real     bool     // the source needs the real clock, see callsInRealTime
	atStart  []string // states that nothing can bring about after an answer
}{
	{strategy: "static", setup: staticTestSource, want: map[string]string{
		complete: both,
		nothing:  "refused",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		hang:     "Fail",
		garbage:  "refused",
		panics:   "crash",
	}},
	{strategy: "hostsfile", setup: fileTestSource, want: map[string]string{ // reads all or nothing; a file neither hangs nor panics
		complete: both,
		nothing:  "Set()",
		broken:   "Fail",
		garbage:  "Fail",
	}},
	{strategy: "file", setup: listsTestSource, want: map[string]string{ // a file neither hangs nor panics
		complete: both,
		nothing:  "Set()",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		garbage:  "Add(10.0.0.1:1 10.0.0.2:1) Fail",
	}},
	{strategy: "local", setup: localTestSource, want: map[string]string{ // a directory does not hang
		complete: both,
		nothing:  "Set()",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		garbage:  "Add(10.0.0.1:1 10.0.0.2:1) Fail",
		panics:   "crash",
	}},
	{strategy: "kubernetes", setup: kubernetesTestSource, want: map[string]string{ // a server does not panic in our hands
		complete: both,
		nothing:  "Set()",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		hang:     "Fail",
		garbage:  "Add(10.0.0.1:1 10.0.0.2:1) Fail",
	}, real: true},
	{strategy: "dns", setup: dnsTestSource, want: map[string]string{ // a server does not panic in our hands
		complete: both,
		nothing:  "Set()",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		hang:     "Fail",
		garbage:  "Add(10.0.0.1:1 10.0.0.2:1) Fail",
	}, real: true},
	{strategy: "kubernetes_dns", setup: kubernetesDNSTestSource, want: map[string]string{
		complete: both,
		nothing:  "Set()",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		hang:     "Fail",
		garbage:  "Add(10.0.0.1:1 10.0.0.2:1) Fail",
	}, real: true},
	{strategy: "rancher", setup: rancherTestSource, want: map[string]string{
		complete: both,
		nothing:  "Set()",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		hang:     "Fail",
		garbage:  "Fail",
	}, real: true},
	{strategy: "http", setup: httpTestSource, want: map[string]string{
		complete: both,
		nothing:  "Set()",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		hang:     "Fail",
		garbage:  "Fail",
	}, real: true},
	{strategy: "exec", setup: execTestSource, want: map[string]string{
		complete: both,
		nothing:  "Set()",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		hang:     "Fail",
		garbage:  "Fail",
	}, real: true},
	{strategy: "multicast", setup: multicastTestSource, want: map[string]string{ // a socket neither hangs nor panics
		complete: both,
		nothing:  "Set()",
		part:     "Add(10.0.0.1:1) Fail",
		broken:   "Fail",
		garbage:  both,
	}, real: true, atStart: []string{part, broken}}, // a named interface is absent; the port is another's
}

// testSource is a source with a configuration that leads to it.
type testSource struct {
	config  string
	env     strategy.Env
	states  map[string]func()
	configs map[string]string // instead of config, of states that lie in it
}

func TestFailureContract(t *testing.T) {
	for _, row := range contract {
		for state, want := range row.want {
			run := func(when, before string) {
				t.Run(row.strategy+"/"+state+"/"+when, func(t *testing.T) {
					if row.real {
						t.Parallel()
						if got := callsInRealTime(t, row.strategy, row.setup(t), before, state); got != want {
							t.Errorf("the sink received %s, want %s", got, want)
						}
						return
					}
					synctest.Test(t, func(t *testing.T) {
						if got := callsInBubble(t, row.strategy, row.setup(t), before, state); got != want {
							t.Errorf("the sink received %s, want %s", got, want)
						}
					})
				})
			}
			run("from the start", "")
			if !slices.Contains(row.atStart, state) {
				run("after an answer", complete)
			}
		}
	}
}

// callsInBubble runs a strategy for 5 minutes on a source in a state, if before is set after 2 minutes in
// that one, and returns what the sink received in the last state.
func callsInBubble(t *testing.T, name string, w testSource, before, state string) string {
	t.Helper()
	st := strategyFor(t, name, w, state)
	if st == nil {
		return "refused"
	}
	w.states[cmp.Or(before, state)]()
	sink, end := start(st)
	since := 0
	if before != "" {
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := strategytest.Summary(sink.Calls()); got != both {
			t.Fatalf("the sink received %s at first, want %s", got, both)
		}
		since = len(sink.Calls())
		w.states[state]()
	}
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	summary := strategytest.Summary(sink.Calls()[since:])
	if end() {
		summary += " crash"
	}
	return strings.TrimSpace(summary)
}

// strategyFor makes the strategy for a state, nil if its configuration is refused.
func strategyFor(t *testing.T, name string, w testSource, state string) strategy.Strategy {
	t.Helper()
	config, ok := w.configs[state]
	if !ok {
		config = w.config
	}
	c, err := configure(t, name, config)
	if err != nil {
		return nil
	}
	st, err := c.New(w.env)
	must(t, err)
	return st
}

// start runs a strategy. The function returned ends it and reports whether it had crashed before.
func start(st strategy.Strategy) (sink *strategytest.Sink, end func() (crash bool)) {
	ctx, cancel := context.WithCancel(context.Background())
	sink = new(strategytest.Sink)
	crash := make(chan bool, 1)
	go func() {
		err := st.Run(ctx, sink)
		crash <- err != nil && ctx.Err() == nil
	}()
	return sink, func() bool {
		cancel()
		return <-crash
	}
}

func configure(tb testing.TB, name, config string) (*strategy.Configured, error) {
	tb.Helper()
	var doc yaml.Node
	must(tb, yaml.Unmarshal([]byte(config), &doc))
	return builtin.Registry().Configure(name, doc.Content[0], strategy.Source{File: "contract.yaml"})
}

func staticTestSource(testing.TB) testSource {
	const one, two = "one.test", "two.test"
	r := new(strategytest.Resolver)
	answer := func() {
		r.Answer(one, netip.MustParseAddr("10.0.0.1"))
		r.Answer(two, netip.MustParseAddr("10.0.0.2"))
	}
	return testSource{
		config: "hosts: [one.test:1, two.test:1]",
		env:    strategy.Env{Resolver: r},
		states: map[string]func(){
			complete: answer,
			part:     func() { answer(); r.ServFail(two) },
			broken:   func() { r.ServFail(one); r.NotFound(two) },
			hang:     func() { r.Hang(one); r.Hang(two) },
			panics:   func() { answer(); r.Panic(two) },
		},
		configs: map[string]string{nothing: "hosts: []", garbage: "hosts: [one.test:1, 'not a host']"},
	}
}

func fileTestSource(tb testing.TB) testSource {
	path := filepath.Join(tb.TempDir(), "hosts")
	write := func(content string) func() { return func() { put(tb, path, content) } }
	return testSource{
		config: "path: " + path,
		states: map[string]func(){
			complete: write("10.0.0.1:1\n10.0.0.2:1\n"),
			nothing:  write("# no host\n"),
			broken:   func() { must(tb, os.RemoveAll(path)) },
			garbage:  write("10.0.0.1:1\n\x00\n"),
		},
	}
}

// localTestSource has other nodes on the machine: real ones, in this process.
func localTestSource(tb testing.TB) testSource {
	root := filepath.Join(tb.TempDir(), "convoke")
	var panicking atomic.Bool
	leave := func() {}
	tb.Cleanup(func() { leave() })
	nodes := func(addrs ...string) {
		leave()
		leave = join(tb, "local", "dir: "+root, "orders", addrs)
		synctest.Wait() // until they have met
	}
	file := func(name string) string {
		dirs, err := filepath.Glob(filepath.Join(root, "*"))
		must(tb, err)
		return filepath.Join(dirs[0], name)
	}
	two := func() { nodes("10.0.0.1:1", "10.0.0.2:1") }
	return testSource{
		config: "dir: " + root,
		env: strategy.Env{ClusterID: "orders", Self: func() []peer.Peer {
			if panicking.Load() {
				panic("asked to")
			}
			return []peer.Peer{{Addr: "10.0.0.9:1"}}
		}},
		states: map[string]func(){
			complete: two,
			nothing:  func() { nodes() },
			part:     func() { nodes("10.0.0.1:1"); must(tb, os.Mkdir(file("two.json"), 0o700)) },
			broken:   func() { two(); leave(); must(tb, os.Chmod(root, 0o777)) }, //nolint:gosec // this is the mistake
			garbage:  func() { two(); put(tb, file("other.json"), "{") },
			panics:   func() { two(); panicking.Store(true) },
		},
	}
}

// join runs a node of a strategy at each address and returns how to end them.
func join(tb testing.TB, name, config, cluster string, addrs []string) (leave func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var ends []chan struct{}
	for _, addr := range addrs {
		c, err := configure(tb, name, config)
		must(tb, err)
		st, err := c.New(strategy.Env{ClusterID: cluster, Self: func() []peer.Peer { return []peer.Peer{{Addr: addr}} }})
		must(tb, err)
		end := make(chan struct{})
		ends = append(ends, end)
		go func() {
			defer close(end)
			_ = st.Run(ctx, new(strategytest.Sink)) // it ends with the context
		}()
	}
	return func() {
		cancel()
		for _, end := range ends {
			<-end
		}
	}
}

func put(tb testing.TB, path, content string) {
	tb.Helper()
	must(tb, os.WriteFile(path+".new", []byte(content), 0o600))
	must(tb, os.Rename(path+".new", path))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
