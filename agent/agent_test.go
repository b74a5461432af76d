package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/local"
)

const deadline = 20 * time.Second

// site is where the nodes of one cluster meet; its paths are short, for sockets.
type site struct {
	t   *testing.T
	dir string
	log *safeBuffer
}

func newSite(t *testing.T) site {
	t.Helper()
	dir, err := os.MkdirTemp("", "agt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return site{t, dir, &safeBuffer{}}
}

// write writes the file of a node; more stands in its topology.
func (s site) write(name, more string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name+".yaml")
	text := fmt.Sprintf("cluster: lab\nnode: {name: %s, listen: \"127.0.0.1:0\"}\ntopologies: {here: {strategy: local, config: {dir: %s}%s}}\n",
		name, filepath.Join(s.dir, "meet"), more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s site) options(name string) agent.Options {
	s.t.Helper()
	strategies, err := strategy.NewRegistry(local.Kind)
	if err != nil {
		s.t.Fatal(err)
	}
	return agent.Options{Strategies: strategies, Socket: filepath.Join(s.dir, name), Log: hclog.New(&hclog.LoggerOptions{Output: s.log, Level: hclog.Warn})}
}

// start starts a node of a cluster of so many, and stops it with the test.
func (s site) start(name string, expect int) *agent.Node {
	s.t.Helper()
	n, err := agent.Start(s.t.Context(), s.write(name, fmt.Sprintf(", expect: %d", expect)), s.options(name))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(n.Stop)
	return n
}

func formed(t *testing.T, nodes ...*agent.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for _, n := range nodes {
		if err := n.Formed(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// sees waits until these members are up.
func sees(t *testing.T, n *agent.Node, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	var names []string
	for members := range n.WatchMembers(ctx) {
		names = nil
		for _, m := range members {
			names = append(names, m.Name)
		}
		if slices.Equal(names, want) {
			return
		}
	}
	t.Fatalf("%s sees %v, want %v", n.Config().Name, names, want)
}

// probeHandler asks a probe and returns its status and text.
func probeHandler(n *agent.Node, path string) (int, string) {
	w := httptest.NewRecorder()
	n.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestServicesFormAClusterAndProbesSurviveTheRestartOfAnother(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start("a", 2)
	if code, text := probeHandler(a, "/readyz?formed"); code != http.StatusServiceUnavailable || text == "" {
		t.Errorf("readyz?formed of a node that is alone = %d, %q, want 503 and the reason", code, text)
	}
	b := s.start("b", 2)
	formed(t, a, b)
	if a.Gossip() == nil || a.Gossip().Set(t.Context(), "role", "web") != nil {
		t.Error("the node of the gossip core is not there when the cluster has formed")
	}
	members, err := a.Members(t.Context())
	if err != nil || len(members) != 2 || members[0].Name != "a" || !members[0].Self || members[1].Status != gossip.Up {
		t.Errorf("members = %+v, %v, want a, which it is, and b, which is up", members, err)
	}
	b.Stop()
	sees(t, a, "a")
	for _, path := range []string{"/livez", "/readyz", "/readyz?formed", "/readyz?topology=here"} {
		if code, text := probeHandler(a, path); code != http.StatusOK || text != "ok\n" {
			t.Errorf("%s after b has left = %d, %q, want 200", path, code, text)
		}
	}
	if err := a.Whole(); err == nil || !strings.Contains(err.Error(), "1 of 2 nodes are together; b@127.0.0.1:") {
		t.Errorf("Whole = %v, want who is missing", err)
	}
	if members, err := a.Members(t.Context()); err != nil || len(members) != 2 || members[1].Status != gossip.Left {
		t.Errorf("members = %+v, %v, want b, which has left", members, err)
	}
	a.Stop()
	for _, path := range []string{"/livez", "/readyz"} {
		if code, _ := probeHandler(a, path); code != http.StatusServiceUnavailable {
			t.Errorf("%s after Stop = %d, want 503", path, code)
		}
	}
	if err := a.Err(); err != nil {
		t.Errorf("Err after Stop = %v, want nil", err)
	}
	a.Stop() // once more
	if err := a.Gossip().Set(t.Context(), "role", "none"); !errors.Is(err, gossip.ErrStopped) {
		t.Errorf("Set after Stop = %v, want ErrStopped", err)
	}
}

func TestANodeThatCannotListenIsNotReadyUntilItCan(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := newSite(t)
	o := s.options("a")
	o.Listen = taken.Addr().String()
	n, err := agent.Start(t.Context(), s.write("a", ""), o)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := n.Formed(ctx); err == nil {
		t.Error("a node whose port is taken has formed")
	}
	if code, text := probeHandler(n, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "address already in use") {
		t.Errorf("readyz = %d, %q, want 503 and the reason", code, text)
	}
	if n.Gossip() != nil {
		t.Error("there is a node of the gossip core")
	}
	status := ask[ops.Document](t, n, http.MethodGet, "status", nil)
	if status.Node.State != ops.StateCannotListen || !strings.Contains(status.Node.Problem, "address already in use") || len(status.Topologies) != 1 || status.Formed {
		t.Errorf("status = %+v, want the reason and the topology", status)
	}
	_ = taken.Close()
	formed(t, n)
}

// request asks a node as commands do.
func request(ctx context.Context, n *agent.Node, method, path string, body, v any) error {
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	return admin.NewClient(n.Socket()).Do(ctx, method, "/api/v1/"+path, values, body, v)
}

// ask asks a node as commands do, which must succeed.
func ask[T any](t *testing.T, n *agent.Node, method, path string, body any) (v T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := request(ctx, n, method, path, body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCommandsReachAServiceAndCanEndIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.start("a", 2), s.start("b", 2)
	formed(t, a, b)
	status := ask[ops.Document](t, a, http.MethodGet, "status?agreement", nil)
	if !status.Formed || !status.Whole || status.Node.Name != "a" || len(status.Topologies) != 1 || !status.Topologies[0].Whole || status.Agreement == nil {
		t.Errorf("status = %+v", status)
	}
	if got := ask[[]ops.Member](t, a, http.MethodGet, "members", nil); len(got) != 2 {
		t.Errorf("members = %+v, want two", got)
	}
	if err := request(t.Context(), a, http.MethodGet, "members?node=z", nil, nil); err == nil || !strings.Contains(err.Error(), `this agent is the node "a", not "z"`) {
		t.Errorf("a request for another node = %v", err)
	}
	ask[struct{}](t, b, http.MethodPost, "leave", nil)
	select {
	case <-b.Done():
	case <-time.After(deadline):
		t.Fatal("the node did not end")
	}
	if b.Err() != nil {
		t.Errorf("Err after leave = %v, want nil", b.Err())
	}
	sees(t, a, "a")
}

func TestANodeThatIsRemovedEndsAndReportsIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.start("a", 2), s.start("b", 2)
	formed(t, a, b)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := a.Gossip().Remove(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.Done():
	case <-ctx.Done():
		t.Fatal("the node that was removed did not end")
	}
	if err := b.Err(); !errors.Is(err, gossip.ErrRemoved) {
		t.Errorf("Err = %v, want ErrRemoved", err)
	}
	if code, _ := probeHandler(b, "/livez"); code != http.StatusServiceUnavailable {
		t.Errorf("livez = %d, want 503", code)
	}
}

func TestTheEndOfTheContextStopsANode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	n, err := agent.Start(ctx, s.write("a", ""), s.options("a"))
	if err != nil {
		t.Fatal(err)
	}
	formed(t, n)
	cancel()
	select {
	case <-n.Done():
	case <-time.After(deadline):
		t.Fatal("the node did not end")
	}
	if n.Err() != nil {
		t.Errorf("Err = %v, want nil", n.Err())
	}
	if _, err := os.Lstat(n.Socket()); err == nil {
		t.Error("the admin socket is still there")
	}
}

func TestStartRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := s.write("a", "")
	strategies := s.options("a").Strategies
	unmade, err := connector.NewRegistry(connector.Own("gossip"))
	if err != nil {
		t.Fatal(err)
	}
	running := s.start("z", 1)
	for _, c := range []struct {
		name, file string
		o          agent.Options
		want       string
	}{
		{"no strategies", good, agent.Options{}, "Options.Strategies is missing"},
		{"no file", filepath.Join(s.dir, "none"), agent.Options{Strategies: strategies}, "no such file"},
		{"a file with mistakes", s.write("b", ", expekt: 3"), agent.Options{Strategies: strategies}, `unknown key "expekt"`},
		{"a bad address", good, agent.Options{Strategies: strategies, Listen: "nowhere"}, `node.listen: "nowhere": want host:port`},
		{"a connector without New", good, agent.Options{Strategies: strategies, Connectors: unmade}, `the connector "gossip" of Options.Connectors has no New`},
		{"a time below 0", good, agent.Options{Strategies: strategies, StopTimeout: -1}, "Options.StopTimeout is -1ns"},
		{"a socket in use", good, agent.Options{Strategies: strategies, Socket: running.Socket()}, "an agent that is running has this socket"},
	} {
		n, err := agent.Start(t.Context(), c.file, c.o)
		if err == nil {
			n.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Start = %v, want %q", c.name, err, c.want)
		}
	}
}

// stuck is a connector whose Run outlives its context.
type stuck struct {
	connector.Funcs
	release chan struct{}
}

func (d stuck) Run(context.Context) error { <-d.release; return nil }

func TestStopDoesNotWaitForEverForAConnectorThatHangs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	kind := connector.Own("stuck")
	release := make(chan struct{})
	kind.New = func(connector.NodeConfig, connector.Env) (connector.Connector, error) {
		call := func(context.Context, peer.Peer) error { return nil }
		list := func(context.Context) ([]peer.Peer, error) { return nil, nil }
		return stuck{connector.Funcs{ConnectFunc: call, ListFunc: list}, release}, nil
	}
	o := s.options("a")
	var err error
	if o.Connectors, err = connector.NewRegistry(kind); err != nil {
		t.Fatal(err)
	}
	o.StopTimeout = 50 * time.Millisecond
	n, err := agent.Start(t.Context(), s.write("a", ""), o)
	if err != nil {
		t.Fatal(err)
	}
	formed(t, n)
	began := time.Now()
	n.Stop()
	if took := time.Since(began); took > 2*time.Second || !strings.Contains(s.log.String(), "did not stop in time") {
		t.Errorf("Stop took %v, the log is %q", took, s.log)
	}
	close(release)
	<-n.Done()
}

// safeBuffer is a buffer that may be read while it is written.
type safeBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// blocked is a log writer that blocks until it is freed.
type blocked chan struct{}

func (b blocked) Write(p []byte) (int, error) {
	<-b
	return len(p), nil
}

func TestALogWriterThatBlocksDelaysNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options("a")
	writer := make(blocked)
	o.Log = hclog.New(&hclog.LoggerOptions{Output: writer, Level: hclog.Debug})
	n, err := agent.Start(t.Context(), s.write("a", ""), o)
	if err != nil {
		t.Fatal(err)
	}
	formed(t, n)
	began := time.Now()
	n.Stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Stop took %v", took)
	}
	close(writer)
}

func TestALevelThatTheProgramChangesHoldsForTheNode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options("a")
	n, err := agent.Start(t.Context(), s.write("a", ", expect: 2"), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Log.SetLevel(hclog.Info)
	formed(t, n, s.start("b", 2))
	n.Stop()
	if !strings.Contains(s.log.String(), "[INFO]  topology has formed") {
		t.Errorf("the log is %q, want the lines of the new level", s.log)
	}
}
