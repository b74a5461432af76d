package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// logbook collects the lines of a logger at level INFO and above.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: l, DisableTime: true})
}

// lines returns the lines so far that contain all parts.
func (l *logbook) lines(parts ...string) (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// kinds collects the events of a supervisor by their kind.
type kinds struct {
	mu  sync.Mutex
	all map[cluster.EventKind][]cluster.Event
}

func watch(t *testing.T, s *cluster.Supervisor) *kinds {
	k := &kinds{all: make(map[cluster.EventKind][]cluster.Event)}
	events := s.Events(t.Context())
	go func() {
		for e := range events {
			k.mu.Lock()
			k.all[e.Kind] = append(k.all[e.Kind], e)
			k.mu.Unlock()
		}
	}()
	return k
}

func (k *kinds) of(kind cluster.EventKind) []cluster.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.all[kind])
}

// service is a set of tasks of which one is replaced now and then. An address that is no longer used does not
// answer: a dial to it hangs until its deadline.
type service struct {
	mesh  *connectortest.Mesh
	next  int
	tasks []string // addresses of the live ones, oldest first
}

func newService(mesh *connectortest.Mesh, n int) *service {
	s := &service{mesh: mesh}
	for range n {
		s.grow()
	}
	return s
}

func (s *service) grow() {
	s.next++
	s.tasks = append(s.tasks, fmt.Sprintf("task-%d", s.next))
}

func (s *service) replace() {
	gone := s.tasks[0] + ":7946"
	s.tasks = s.tasks[1:]
	s.mesh.Hang(gone)
	s.mesh.Lose(gone)
	s.grow()
}

// connected returns how many live tasks are connected.
func (s *service) connected() (n int) {
	for _, p := range s.mesh.Connected() {
		if slices.Contains(s.tasks, strings.TrimSuffix(p.Addr, ":7946")) {
			n++
		}
	}
	return n
}

func TestTwelveHoursOfIncompleteAnswersLeaveNoLivePeerUnconnected(t *testing.T) {
	for name, answer := range map[string]func(*service, strategy.Sink){
		"one of two sources fails": func(s *service, out strategy.Sink) {
			out.Add(peersAt(s.tasks...))
			out.Fail(errors.New("namespace other: forbidden"))
		},
		"each answer is a sample of eight": func(s *service, out strategy.Sink) {
			all := slices.Clone(s.tasks)
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			out.Add(peersAt(all[:8]...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mesh, source, log := connectortest.NewMesh(), &script{}, &logbook{}
				s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh), cluster.WithLogger(log.logger()))
				run, tasks := source.run(t, 1), newService(mesh, 20)
				for i := range 12 * 3600 / 5 {
					if i%12 == 6 {
						tasks.replace()
					}
					answer(tasks, run.out)
					settle(5 * time.Second)
				}
				for range 36 { // until a sample has named the newest task: all but one time in 10 million
					answer(tasks, run.out)
					settle(5 * time.Second)
				}
				ts := s.Status().Topologies[0]
				t.Logf("after 12 h: %d of 20 live peers connected, %d wanted, %d lines", tasks.connected(), ts.Wanted, len(log.lines()))
				if n := len(log.lines()); n > 12*60 {
					t.Errorf("%d lines in 12 h, want at most one a minute", n)
				}
				if n := tasks.connected(); n != 20 || ts.Wanted > 60 {
					t.Errorf("after 12 h %d of 20 live peers are connected and %d are wanted, want 20 and at most 60", n, ts.Wanted)
				}
			})
		})
	}
}

func TestADisconnectThatFailsIsRetriedEverMoreRarelyAndReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, log := connectortest.NewMesh(), &script{}, &logbook{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh), cluster.WithLogger(log.logger()))
		events := watch(t, s)
		run := source.run(t, 1)
		run.set("a", "b")
		settle(time.Second)
		mesh.FailDisconnect("b:7946", errors.New("busy"))
		for range 360 {
			run.set("a")
			settle(10 * time.Second)
		}
		t.Logf("in an hour: %d calls, %d lines, %d events", mesh.Count("disconnect"), len(log.lines("disconnect")), len(events.of("disconnect_failed")))
		if n := mesh.Count("disconnect"); n < 5 || n > 25 {
			t.Errorf("%d calls of disconnect in an hour, want 5..25", n)
		}
		if lines := log.lines("disconnect"); len(lines) != 1 || !strings.Contains(lines[0], "WARN") {
			t.Errorf("lines about it: %q, want one warning", lines)
		}
		if got := events.of("disconnect_failed"); len(got) != 1 || got[0].Peer.Addr != "b:7946" || got[0].Topology != "t" || got[0].Err == nil {
			t.Errorf("events %v, want one disconnect_failed of b with its error", got)
		}
		if why := s.Status().Topologies[0].Why; !strings.Contains(why, "b:7946 cannot be disconnected") || !strings.Contains(why, "busy") {
			t.Errorf("why = %q, want the peer that cannot be disconnected", why)
		}
		mesh.FailDisconnect("b:7946", nil)
		for range 60 {
			run.set("a")
			settle(10 * time.Second)
		}
		wantConnected(t, mesh, "a")
	})
}

func TestAPeerThatStaysListedAfterDisconnectIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, log := connectortest.NewMesh(), &script{}, &logbook{}
		calls := 0
		funcs := connector.Funcs{
			ConnectFunc: mesh.Connect, ListFunc: mesh.List,
			DisconnectFunc: func(context.Context, peer.Peer) error { calls++; return nil },
		}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("funcs", funcs), cluster.WithLogger(log.logger()))
		events := watch(t, s)
		run := source.run(t, 1)
		run.set("a", "b")
		for range 360 {
			settle(10 * time.Second)
			run.set("a")
		}
		t.Logf("in an hour: %d calls, %d lines, %d events dropped", calls, len(log.lines("disconnect")), len(events.of(cluster.EventPeerDropped)))
		if calls > 25 {
			t.Errorf("%d calls of disconnect in an hour, want at most 25", calls)
		}
		if got := events.of(cluster.EventPeerDropped); len(got) != 0 {
			t.Errorf("%d events of a disconnected peer, want none: it is still listed", len(got))
		}
		if got := events.of("disconnect_failed"); len(got) != 1 || len(log.lines("WARN", "disconnect")) != 1 {
			t.Errorf("%d events and the lines %q, want one of each", len(got), log.lines("disconnect"))
		}
	})
}

func TestWithoutACallbackToDisconnectNoPeerIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, log := connectortest.NewMesh(), &script{}, &logbook{}
		funcs := connector.Funcs{ConnectFunc: mesh.Connect, ListFunc: mesh.List}
		start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("funcs", funcs), cluster.WithLogger(log.logger()))
		run := source.run(t, 1)
		run.set("a", "b")
		for range 60 {
			settle(10 * time.Second)
			run.set("a")
		}
		wantConnected(t, mesh, "a b")
		if lines := log.lines("disconnect"); len(lines) != 0 {
			t.Errorf("lines about a disconnect that never happens: %d, the first %q", len(lines), lines[0])
		}
	})
}

func TestAPeerThatTheListNeverShowsIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, log := &script{}, &logbook{}
		funcs := connector.Funcs{
			ConnectFunc: func(context.Context, peer.Peer) error { return nil },
			ListFunc:    func(context.Context) ([]peer.Peer, error) { return []peer.Peer{{Addr: "192.0.2.1:1"}}, nil },
		}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), MinPeers: 1}), cluster.WithConnector("funcs", funcs), cluster.WithLogger(log.logger()))
		events := watch(t, s)
		run := source.run(t, 1)
		for range 60 {
			run.set("a")
			settle(10 * time.Second)
		}
		if lines := log.lines("a:7946", "WARN"); len(lines) != 1 {
			t.Errorf("warnings %q, want one", lines)
		}
		if got := events.of("unlisted"); len(got) != 1 || got[0].Peer.Addr != "a:7946" || got[0].Topology != "t" {
			t.Errorf("events %v, want one of the peer that is not listed", got)
		}
		if why := s.Status().Topologies[0].Why; !strings.Contains(why, "a:7946: connect succeeds, but the list shows neither its address nor its ID") {
			t.Errorf("why = %q, want what is wrong with the list", why)
		}
	})
}

func TestATopologyThatIsNotWholeIsLoggedEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, log := connectortest.NewMesh(), &script{}, &logbook{}
		mesh.Refuse("a:7946", errors.New("connection refused"))
		start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), Expect: 3}), cluster.WithConnector("mesh", mesh), cluster.WithLogger(log.logger()))
		run := source.run(t, 1)
		repeat := func(d time.Duration, addrs ...string) {
			for range int(d / (5 * time.Second)) {
				run.set(addrs...)
				settle(5 * time.Second)
			}
		}
		repeat(time.Hour, "a")
		first := len(log.lines("topology has not formed yet"))
		t.Logf("%d lines in an hour", first)
		if first < 3 || first > 13 {
			t.Errorf("%d lines in an hour, want 3..13: at first after 10 s, then doubling up to 10 minutes", first)
		}
		repeat(15*time.Second, "a", "b")
		if n := len(log.lines("topology has not formed yet")) - first; n != 1 {
			t.Errorf("%d lines 15 s after another peer was connected, want one at once", n)
		}
	})
}

func TestFormingWithAHundredPeersTakesAFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, log := connectortest.NewMesh(), &script{}, &logbook{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), MinPeers: 60}), cluster.WithConnector("mesh", mesh), cluster.WithLogger(log.logger()))
		events := watch(t, s)
		run := source.run(t, 1)
		var found []string
		for i := range 99 {
			if i%3 == 0 {
				mesh.Refuse(fmt.Sprintf("n%d:7946", i), errors.New("connection refused"))
			}
			found = append(found, fmt.Sprint("n", i))
			run.set(found...)
			settle(70 * time.Millisecond)
		}
		for range 36 {
			run.set(found...)
			settle(5 * time.Second)
		}
		t.Logf("%d lines in 3 minutes", len(log.lines()))
		if lines := log.lines(); len(lines) > 20 {
			t.Errorf("%d lines for 99 peers, of which 33 cannot be reached, want at most 20; the last:\n%s", len(lines), lines[len(lines)-1])
		}
		if up, down := len(events.of(cluster.EventPeerConnected)), len(events.of(cluster.EventDialFailed)); up != 66 || down != 33 {
			t.Errorf("events of %d peers connected and %d not reached, want one each: 66 and 33", up, down)
		}
	})
}

func TestASourceThatFailsEverySecondTimeIsLoggedEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, log := connectortest.NewMesh(), &script{}, &logbook{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh), cluster.WithLogger(log.logger()))
		events := watch(t, s)
		run := source.run(t, 1)
		for range 360 {
			run.set("a")
			settle(5 * time.Second)
			run.out.Fail(errors.New("SERVFAIL"))
			settle(5 * time.Second)
		}
		lines := log.lines("source")
		t.Logf("%d lines in an hour", len(lines))
		if len(lines) < 4 || len(lines) > 30 {
			t.Errorf("%d lines in an hour, want 4..30", len(lines))
		}
		if n := len(events.of(cluster.EventSourceFailed)); n != 360 {
			t.Errorf("%d events, want 360: one for each failure", n)
		}
	})
}

func TestATopologyTakesItsPeersToAnotherConnector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, source := connectortest.NewMesh(), connectortest.NewMesh(), &script{}
		config := func(connector string) *cluster.Config {
			return configOf(cluster.Topology{Name: "t", Config: source.configured(1), Connector: connector})
		}
		s := start(t, config("one"), cluster.WithConnector("one", one), cluster.WithConnector("two", two))
		run := source.run(t, 1)
		run.set("a")
		run.out.Add(peersAt("b"))
		settle(time.Second)
		if err := s.Apply(config("two")); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		wantConnected(t, two, "a b")
	})
}
