package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/ops/page"
)

// stage serves the page of a cluster that the test makes up, and its events.
type stage struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex // guards all below
	document ops.Document
	members  []ops.Member
	edges    []ops.Edge
	events   []ops.Event
	changed  chan struct{} // closed and replaced with each change
}

// newStage has a cluster of n members that are together.
func newStage(t *testing.T, n int) *stage {
	s := &stage{t: t, changed: make(chan struct{})}
	began := time.Now().Add(-time.Hour)
	s.document = ops.Document{
		Cluster: "orders", Node: ops.Node{Name: "n000", State: ops.StateRunning, Addr: "127.0.0.1:7946", Connector: "gossip", Build: "v1.0.0", Security: "tls", Started: began},
		Formed: true, Whole: true, Members: map[string]int{"up": n}, Gossip: &ops.Gossip{Hash: "00112233aabbccdd", SharedHash: "ffeeddcc00112233", Shared: ops.SharedSize{Keys: 3, Values: 120, Limit: 1 << 26}},
		Topologies: []ops.Topology{{Name: "pods", Strategy: "static", State: "running", Formed: true, Whole: true, Expect: n, Wanted: n - 1, Connected: n - 1,
			Why: fmt.Sprintf("all %d nodes are together", n), Answers: ops.Answers{Complete: &ops.Moment{At: began, Age: 2}}}},
	}
	for i := range n {
		name := fmt.Sprintf("n%03d", i)
		s.members = append(s.members, ops.Member{Name: name, Status: "up", Since: &began, Addr: ops.Text("127.0.0.1:" + fmt.Sprint(7946+i)), Zone: "z1", Version: "1.2.3", Links: 2, Self: i == 0})
		if n > 1 {
			s.edges = append(s.edges, ops.Edge{From: name, To: fmt.Sprintf("n%03d", (i+1)%n)})
		}
		if rtt := 0.0004; i > 0 && i < 4 {
			s.document.Links = append(s.document.Links, ops.Link{Peer: name, Since: began, RTT: &rtt, Ours: i%2 == 0})
		}
	}
	mux := http.NewServeMux()
	for _, m := range page.Mounts(func() page.Source { return s }) {
		mux.Handle(m.Pattern, m.Handler)
	}
	mux.HandleFunc("GET /api/v1/events", s.serveEvents)
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.stop)
	return s
}

// stop ends the server and its streams.
func (s *stage) stop() {
	s.server.CloseClientConnections()
	s.server.Close()
}

func (s *stage) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	fmt.Fprint(w, ":\n\n")
	for control.Flush() == nil {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
			fmt.Fprint(w, "event: event\ndata: {}\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// change changes the cluster, and has an event report it.
func (s *stage) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stage) Document(context.Context) ops.Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.document
	d.At = time.Now()
	d.Topologies = slices.Clone(d.Topologies)
	return d
}

func (s *stage) Members(context.Context) ([]ops.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.members), nil
}

func (s *stage) Overlay(context.Context) ([]ops.Edge, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.edges), nil
}

func (s *stage) Agreement(context.Context) (ops.Agreement, error) {
	return ops.Agreement{Same: []string{"n000", "n001"}, Silent: []string{"n002"}}, nil
}

func (s *stage) Events(n int) []ops.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events[max(0, len(s.events)-n):])
}
