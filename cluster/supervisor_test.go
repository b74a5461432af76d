package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// script is a strategy whose runs do what the test asks for. Its configuration is a
// number, so that two of them differ.
type script struct {
	mu   sync.Mutex
	runs []*scriptRun
	act  func(run int, ctx context.Context, out strategy.Sink) error // nil: wait for ctx
}

type scriptRun struct {
	Number int
	out    strategy.Sink
	ctx    context.Context
}

type scriptConfig struct {
	Number int `yaml:"number"`
}

func (s *script) configured(number int) *strategy.Configured {
	c, err := strategy.Kind[scriptConfig]{Name: "script", Doc: "controlled by a test", New: s.new}.Configure(scriptConfig{number})
	if err != nil {
		panic(err)
	}
	return c
}

func (s *script) new(c scriptConfig, _ strategy.Env) (strategy.Strategy, error) {
	return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		s.mu.Lock()
		s.runs = append(s.runs, &scriptRun{c.Number, out, ctx})
		n, act := len(s.runs), s.act
		s.mu.Unlock()
		if act != nil {
			return act(n, ctx, out)
		}
		<-ctx.Done()
		return ctx.Err()
	}), nil
}

// run returns the n-th run, counted from 1.
func (s *script) run(t *testing.T, n int) *scriptRun {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.runs) < n {
		t.Fatalf("%d runs of the strategy, want at least %d", len(s.runs), n)
	}
	return s.runs[n-1]
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.runs)
}

func (r *scriptRun) set(addrs ...string) { r.out.Set(peersAt(addrs...)) }

func peersAt(addrs ...string) (all []peer.Peer) {
	for _, a := range addrs {
		all = append(all, peer.Peer{Addr: a + ":7946"})
	}
	return all
}

func configOf(topologies ...cluster.Topology) *cluster.Config {
	return &cluster.Config{
		Node:       connector.NodeConfig{Cluster: "test", Name: "me", Listen: "10.0.0.99:7946"},
		Topologies: topologies,
	}
}

// start runs a supervisor in the bubble until the test ends.
func start(t *testing.T, c *cluster.Config, opts ...cluster.Option) *cluster.Supervisor {
	t.Helper()
	s, err := cluster.New(c, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v, want the end of its context", err)
		}
	})
	return s
}

// settle lets d go by on the fake clock and everything due happen.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func addrs(peers []peer.Peer) string {
	var all []string
	for _, p := range peers {
		all = append(all, strings.TrimSuffix(p.Addr, ":7946"))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func wantConnected(t *testing.T, m *connectortest.Mesh, want string) {
	t.Helper()
	if got := addrs(m.Connected()); got != want {
		t.Errorf("connected %q, want %q", got, want)
	}
}

func TestConnectsWhatIsFoundAndHealsWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		source.run(t, 1).set("a", "b", "c")
		settle(time.Second)
		wantConnected(t, mesh, "a b c")
		mesh.Lose("b:7946")
		settle(15 * time.Second)
		wantConnected(t, mesh, "a b c")
	})
}

func TestFailuresOfASourceDisconnectNoPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		run := source.run(t, 1)
		run.set("a", "b")
		settle(time.Second)
		for range 30 {
			run.out.Fail(errors.New("HTTP 403"))
			settle(10 * time.Second)
		}
		wantConnected(t, mesh, "a b")
		if n := mesh.Count("disconnect"); n != 0 {
			t.Errorf("%d disconnects", n)
		}
		ts := s.Status().Topologies[0]
		if !ts.Stale || ts.Err == nil || !strings.Contains(ts.Why, "HTTP 403") {
			t.Errorf("status = stale %v, err %v, why %q", ts.Stale, ts.Err, ts.Why)
		}
	})
}

func TestPartOfAnAnswerDisconnectsNoPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		run := source.run(t, 1)
		run.set("a", "b")
		for range 30 {
			run.out.Add(peersAt("a", "c"))
			run.out.Fail(errors.New("AAAA: timeout"))
			settle(10 * time.Second)
		}
		wantConnected(t, mesh, "a b c")
	})
}

func TestAnEmptyAnswerIsHeldBackAndShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		run := source.run(t, 1)
		run.set("a", "b")
		settle(time.Second)
		run.set()
		settle(40 * time.Second)
		wantConnected(t, mesh, "a b")
		if ts := s.Status().Topologies[0]; ts.EmptyHeld != 1 || !strings.Contains(ts.Why, "empty") {
			t.Errorf("EmptyHeld = %d, why %q", ts.EmptyHeld, ts.Why)
		}
		for range 10 {
			run.set()
			settle(10 * time.Second)
		}
		wantConnected(t, mesh, "")
	})
}

func TestAConnectThatHangsDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		release := make(chan struct{})
		defer close(release)
		mesh.Hang("hangs:7946")
		mesh.Stall("stalls:7946", release)
		start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		source.run(t, 1).set("a", "b", "stalls", "hangs")
		settle(time.Second)
		wantConnected(t, mesh, "a b")
		settle(5 * time.Minute)
		dials := 0
		for _, c := range mesh.Calls() {
			if c.Op == "connect" && c.Peer.Addr == "stalls:7946" {
				dials++
			}
		}
		if dials != 1 {
			t.Errorf("%d dials of a peer whose first dial never returned, want 1", dials)
		}
	})
}

func TestRunReturnsThoughAStrategyAndACallDoNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := connectortest.NewMesh()
		release := make(chan struct{})
		defer close(release)
		mesh.Stall("stalls:7946", release)
		source := &script{act: func(_ int, _ context.Context, out strategy.Sink) error {
			out.Set(peersAt("stalls"))
			<-release
			return nil
		}}
		s, err := cluster.New(configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_ = s.Run(ctx)
		if took := time.Since(began); took > 71*time.Second {
			t.Errorf("Run returned after %v, want at most 10 s after its context", took)
		}
	})
}

func TestAPanicIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, sound := connectortest.NewMesh(), &script{}
		mesh.Panic("bad:7946")
		broken := &script{act: func(int, context.Context, strategy.Sink) error { panic("broken strategy") }}
		s := start(t, configOf(
			cluster.Topology{Name: "sound", Config: sound.configured(1)},
			cluster.Topology{Name: "broken", Config: broken.configured(1)},
		), cluster.WithConnector("mesh", mesh))
		sound.run(t, 1).set("a", "bad")
		settle(10 * time.Minute)
		wantConnected(t, mesh, "a")
		if ts := s.Status().Topologies[1]; ts.Restarts < 8 || ts.Restarts > 25 || ts.State != cluster.Restarting {
			t.Errorf("restarts = %d, state %s, want 8..25 restarts with a growing wait", ts.Restarts, ts.State)
		}
	})
}

func TestAPanickingListSkipsTheRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fail func()
		funcs := connector.Funcs{
			ConnectFunc: func(context.Context, peer.Peer) error { t.Error("dialled without a list"); return nil },
			ListFunc:    func(context.Context) ([]peer.Peer, error) { fail(); return nil, nil },
		}
		fail = func() { panic("broken list") }
		source := &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("funcs", funcs))
		source.run(t, 1).set("a")
		settle(time.Minute)
		if ts := s.Status().Topologies[0]; ts.ListErr == nil || ts.Whole {
			t.Errorf("ListErr = %v, whole %v", ts.ListErr, ts.Whole)
		}
	})
}

func TestAListErrorMeansUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		run := source.run(t, 1)
		run.set("a")
		settle(time.Second)
		mesh.FailList(errors.New("unknown"))
		before := mesh.Count("connect") + mesh.Count("disconnect")
		for range 20 {
			run.set("b")
			settle(10 * time.Second)
		}
		if after := mesh.Count("connect") + mesh.Count("disconnect"); after != before {
			t.Errorf("%d calls while the list was unknown", after-before)
		}
		mesh.FailList(nil)
		settle(15 * time.Second)
		if got := addrs(mesh.Connected()); !strings.Contains(got, "b") {
			t.Errorf("connected %q after the list came back, want b too", got)
		}
	})
}

func TestPeersManagedBeforeARestartArePrunedAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := connectortest.NewMesh()
		source := &script{act: func(run int, ctx context.Context, out strategy.Sink) error {
			if run == 1 {
				out.Set(peersAt("a", "b"))
				time.Sleep(time.Second)
				return errors.New("crash")
			}
			for ctx.Err() == nil {
				out.Set(peersAt("a"))
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Second):
				}
			}
			return ctx.Err()
		}}
		start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		settle(500 * time.Millisecond)
		wantConnected(t, mesh, "a b")
		settle(2 * time.Minute)
		wantConnected(t, mesh, "a")
	})
}

func TestASlowTopologyDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, quick := connectortest.NewMesh(), &script{}
		slow := &script{act: func(_ int, ctx context.Context, out strategy.Sink) error {
			select {
			case <-time.After(time.Minute):
				out.Set(peersAt("s"))
			case <-ctx.Done():
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		s := start(t, configOf(
			cluster.Topology{Name: "slow", Config: slow.configured(1)},
			cluster.Topology{Name: "quick", Config: quick.configured(1), MinPeers: 1},
		), cluster.WithConnector("mesh", mesh))
		quick.run(t, 1).set("q")
		began := time.Now()
		if err := s.Formed(t.Context(), "quick"); err != nil || time.Since(began) > time.Second {
			t.Errorf("quick: %v after %v", err, time.Since(began))
		}
		limited, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := s.Formed(limited)
		if err == nil || !strings.Contains(err.Error(), "topology slow has not formed: script gave no complete answer yet") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Formed with a deadline = %v, want what is awaited", err)
		}
		if err := s.Formed(t.Context()); err != nil || time.Since(began) > 61*time.Second {
			t.Errorf("both: %v after %v", err, time.Since(began))
		}
	})
}

func TestFormedWaitsForTheExpectedNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		mesh.Refuse("b:7946", errors.New("connection refused"))
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), Expect: 3}), cluster.WithConnector("mesh", mesh))
		source.run(t, 1).set("a", "b")
		settle(3 * time.Second)
		ts := s.Status().Topologies[0]
		for _, part := range []string{"script answered 3s ago, 2 peers found", "b:7946: connection refused (next try", "2 of 3 nodes are together; b:7946 is not connected yet"} {
			if !strings.Contains(ts.Why, part) {
				t.Errorf("why = %q, want %q in it", ts.Why, part)
			}
		}
		mesh.Refuse("b:7946", nil)
		if err := s.Formed(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAChangedStrategyTakesOverWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, other := connectortest.NewMesh(), &script{}, &script{}
		config := configOf(cluster.Topology{Name: "t", Config: source.configured(1)}, cluster.Topology{Name: "same", Config: other.configured(1)})
		s := start(t, config, cluster.WithConnector("mesh", mesh))
		source.run(t, 1).set("a")
		other.run(t, 1).set("o")
		settle(time.Second)
		if err := s.Apply(configOf(cluster.Topology{Name: "t", Config: source.configured(2)}, cluster.Topology{Name: "same", Config: other.configured(1)})); err != nil {
			t.Fatal(err)
		}
		second := source.run(t, 2)
		second.out.Fail(errors.New("not yet"))
		settle(time.Second)
		if source.run(t, 1).ctx.Err() != nil {
			t.Error("the first strategy was stopped before the second had an answer")
		}
		if ts := s.Status().Topologies[0]; ts.Handover == nil || ts.Err != nil {
			t.Errorf("Handover = %v, Err = %v, want the failure of the new one apart", ts.Handover, ts.Err)
		}
		second.set("a", "b")
		settle(time.Second)
		if source.run(t, 1).ctx.Err() == nil {
			t.Error("the first strategy still runs")
		}
		source.run(t, 1).set("ghost")
		settle(time.Second)
		wantConnected(t, mesh, "a b o")
		if n := other.count(); n != 1 {
			t.Errorf("an unchanged topology was started %d times", n)
		}
	})
}

func TestTopologiesAreAddedAndRemovedAtRunTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, one, two := connectortest.NewMesh(), &script{}, &script{}
		s := start(t, configOf(cluster.Topology{Name: "one", Config: one.configured(1)}), cluster.WithConnector("mesh", mesh))
		one.run(t, 1).set("a")
		settle(time.Second)
		if err := s.Apply(configOf(cluster.Topology{Name: "two", Config: two.configured(1)})); err != nil {
			t.Fatal(err)
		}
		two.run(t, 1).set("b")
		settle(time.Second)
		wantConnected(t, mesh, "a b")
		settle(time.Minute)
		wantConnected(t, mesh, "b")
		if one.run(t, 1).ctx.Err() == nil {
			t.Error("the strategy of the removed topology still runs")
		}
		bad := configOf(cluster.Topology{Name: "three", Config: two.configured(1), Connector: "mash"})
		if err := s.Apply(bad); err == nil || !strings.Contains(err.Error(), `did you mean "mesh"`) {
			t.Errorf("Apply with an unknown connector = %v", err)
		}
		bad = configOf(cluster.Topology{Name: "two", Config: two.configured(1)})
		bad.Node.Cluster = "other"
		if err := s.Apply(bad); err == nil || !strings.Contains(err.Error(), "restart") {
			t.Errorf("Apply with another cluster ID = %v", err)
		}
	})
}

func TestCallbacksNamedInTheConfigurationReplaceTheConnectors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		var audited []string
		connect := func(ctx context.Context, p peer.Peer) error {
			audited = append(audited, p.Addr)
			return mesh.Connect(ctx, p)
		}
		start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), Connect: "audit.connect"}),
			cluster.WithConnector("mesh", mesh), cluster.WithConnect("audit.connect", connect))
		source.run(t, 1).set("a")
		settle(time.Second)
		wantConnected(t, mesh, "a")
		if fmt.Sprint(audited) != "[a:7946]" {
			t.Errorf("the callback saw %v, want [a:7946]", audited)
		}
	})
}

func TestAThousandSteadyRoundsCallNothingButList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := connectortest.NewMesh()
		source := strategy.Kind[strategy.PollConfig]{Name: "poll", New: func(c strategy.PollConfig, env strategy.Env) (strategy.Strategy, error) {
			return strategy.Poll(func(context.Context) ([]peer.Peer, error) { return peersAt("a", "b", "c"), nil }, c, env), nil
		}}
		configured, err := source.Configure(strategy.DefaultPoll())
		if err != nil {
			t.Fatal(err)
		}
		start(t, configOf(cluster.Topology{Name: "t", Config: configured}), cluster.WithConnector("mesh", mesh))
		settle(2 * time.Minute)
		waiting := goroutines()
		lists, calls := mesh.Count("list"), len(mesh.Calls())
		settle(1000 * 10 * time.Second)
		rounds := mesh.Count("list") - lists
		if rounds < 950 || rounds > 1060 {
			t.Errorf("%d rounds in 10,000 s, want 1,000: one timer, every 10 s ±20 %%", rounds)
		}
		if others := len(mesh.Calls()) - calls - rounds; others != 0 {
			t.Errorf("%d calls other than list", others)
		}
		if now := goroutines(); now != waiting || now == 0 {
			t.Errorf("%d goroutines, %d before", now, waiting)
		}
	})
}

// goroutines counts those of this bubble that wait for something: the runtime's own come and go.
func goroutines() int {
	synctest.Wait()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return strings.Count(string(stacks), "durable), synctest bubble")
}

func TestASlowReaderOfEventsLosesTheOldestAndDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		ctx, cancel := context.WithCancel(t.Context())
		events, slow := s.Events(ctx), s.Events(ctx)
		run := source.run(t, 1)
		run.out.Fail(errors.New("down"))
		run.set("a")
		settle(time.Second)
		mesh.Lose("a:7946")
		settle(15 * time.Second)
		for range 2000 {
			run.out.Fail(errors.New("down"))
			run.set("a")
		}
		cancelAfter := map[cluster.EventKind]int{}
		var story []string
		for e := range events {
			cancelAfter[e.Kind]++
			if story = append(story, string(e.Kind)); len(story) == 1024 {
				break
			}
		}
		for e := range slow {
			if e.Missed < 2000 {
				t.Errorf("the first event of a slow reader has %d missed, want thousands", e.Missed)
			}
			break
		}
		cancel()
		_ = run
	})
}

func TestEventsComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		ctx, cancel := context.WithCancel(t.Context())
		events := s.Events(ctx)
		run := source.run(t, 1)
		run.out.Fail(errors.New("down"))
		run.set("a")
		settle(time.Second)
		mesh.Lose("a:7946")
		settle(15 * time.Second)
		cancel()
		synctest.Wait()
		var story []string
		for e := range events {
			story = append(story, string(e.Kind))
		}
		if got, want := strings.Join(story, " "), "source_failed source_recovered formed whole connected lost connected"; got != want {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

func TestAPermanentFailureIsNotRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := connectortest.NewMesh()
		source := &script{act: func(int, context.Context, strategy.Sink) error {
			return strategy.Permanent(errors.New("no multicast here"))
		}}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		settle(time.Hour)
		ts := s.Status().Topologies[0]
		if ts.State != cluster.Failed || source.count() != 1 || !strings.Contains(ts.Why, "no multicast here") {
			t.Errorf("state %s after %d runs, why %q", ts.State, source.count(), ts.Why)
		}
	})
}

func TestNewReportsEveryMistake(t *testing.T) {
	source := &script{}
	c := configOf(cluster.Topology{Name: "a", Connector: "none"}, cluster.Topology{Name: "a", Config: source.configured(1), Expect: -1})
	c.Node.Cluster = ""
	_, err := cluster.New(c, cluster.WithConnector("mesh", connectortest.NewMesh()))
	for _, part := range []string{"cluster ID is required", `unknown connector "none"`, "no strategy", "named twice", "below 0"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("New = %v, want %q in it", err, part)
		}
	}
}
