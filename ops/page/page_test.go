package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/ops"
)

// fixed is a source that never changes.
type fixed struct {
	document ops.Document
	members  []ops.Member
	edges    []ops.Edge
	events   []ops.Event
	failure  error
}

func (f *fixed) Document(context.Context) ops.Document         { return f.document }
func (f *fixed) Members(context.Context) ([]ops.Member, error) { return f.members, f.failure }
func (f *fixed) Overlay(context.Context) ([]ops.Edge, error)   { return f.edges, f.failure }
func (f *fixed) Agreement(context.Context) (ops.Agreement, error) {
	return ops.Agreement{Same: []string{"n1"}}, f.failure
}
func (f *fixed) Events(n int) []ops.Event { return slices.Clone(f.events[max(0, len(f.events)-n):]) }

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// clusterOf is a cluster of n members on one ring, as n1 sees it.
func clusterOf(n int) *fixed {
	f := &fixed{document: ops.Document{
		At: now, Cluster: "orders", Node: ops.Node{Name: "n0000", State: ops.StateRunning, Security: "tls", Started: now.Add(-time.Hour)},
		Topologies: []ops.Topology{{Name: "pods", Strategy: "dns", Whole: true, Formed: true, Why: "all nodes are together"}},
		Members:    map[string]int{"up": n},
	}}
	for i := range n {
		name := fmt.Sprintf("n%04d", i)
		since := now.Add(-time.Minute)
		f.members = append(f.members, ops.Member{Name: name, Status: "up", Since: &since, Addr: ops.Text(fmt.Sprintf("10.0.%d.%d:7946", i/250, i%250)), Self: i == 0})
		for k := 1; k <= 4; k++ {
			f.edges = append(f.edges, ops.Edge{From: name, To: fmt.Sprintf("n%04d", (i+k*k)%n)})
		}
	}
	return f
}

func get(t *testing.T, s Source, target string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	for _, m := range Mounts(func() Source { return s }) {
		mux.Handle(m.Pattern, m.Handler)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

func wantText(t *testing.T, body string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(body, p) {
			t.Errorf("the page lacks %q", p)
		}
	}
}

func TestThePageNamesThePeerTheReasonAndTheNextDial(t *testing.T) {
	s := clusterOf(2)
	next := now.Add(8 * time.Second)
	s.document.Topologies[0] = ops.Topology{Name: "pods", Formed: true, Why: "2 of 3 nodes are together; n9 is down since 11:59:00", Peers: []ops.Peer{
		{Addr: "10.0.0.9:7946", ID: "n9", Wanted: true, Attempts: 4, Error: "dial tcp 10.0.0.9:7946: connect: connection refused", Next: &next},
		{Addr: "10.0.0.2:7946", Wanted: true, Connected: true},
	}}
	body := get(t, s, "/").Body.String()
	wantText(t, body, "2 of 3 nodes are together; n9 is down since 11:59:00", "connect: connection refused", "in 8 s", ">4<")
	if strings.Contains(body, `<th scope="row"> 10.0.0.2:7946</th>`) {
		t.Error("a connected peer is among those that are not")
	}
}

func TestWhatComesFromTheNetworkIsTextAndNeverMarkup(t *testing.T) {
	s := clusterOf(2)
	const evil = `<script>alert(1)</script>`
	s.members[1].Name, s.members[1].Zone, s.members[1].Version = evil, evil, evil
	s.document.Topologies[0].Why = evil
	s.document.Topologies[0].Peers = []ops.Peer{{Addr: evil, ID: `"><img src=x onerror=alert(1)>`, Error: evil, Wanted: true}}
	s.events = []ops.Event{{At: now, Kind: "connected", Peer: evil, Error: evil}}
	s.edges = []ops.Edge{{From: "n0000", To: evil}}
	body := get(t, s, "/").Body.String()
	if strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
		t.Error("markup of the network is in the page")
	}
	wantText(t, body, "&lt;script&gt;")
}

func TestAMemberThatServesAPageIsALinkToIt(t *testing.T) {
	s := clusterOf(4)
	s.members[0].HTTP, s.members[1].HTTP, s.members[2].HTTP = "http://10.0.0.0:7947/", "https://10.0.0.1:7947/", "javascript:alert(1)"
	body := get(t, s, "/").Body.String()
	wantText(t, body, `<a href="https://10.0.0.1:7947/" rel="noreferrer" title="https://10.0.0.1:7947/">n0001</a>`)
	for _, bad := range []string{`href="http://10.0.0.0:7947/"`, `href="javascript:`} {
		if strings.Contains(body, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}

func TestALargeClusterIsAPageOfBoundedSizeWithAWayToTheRest(t *testing.T) {
	s := clusterOf(4000)
	for i := range s.members {
		s.members[i].HTTP = "http://" + s.members[i].Name + ".orders.example.com:7947/"
	}
	body := get(t, s, "/").Body.String()
	if len(body) > 200_000 {
		t.Errorf("%d bytes for 4,000 members, at most 200,000", len(body))
	}
	wantText(t, body, "200 of 4000.", `href="?after=n0199"`, "are not drawn")
	if rows := strings.Count(body, "10.0."); rows > maxRows {
		t.Errorf("%d members in the table", rows)
	}
	rest := get(t, s, "/?after=n0199").Body.String()
	wantText(t, rest, "n0200", `href="?after=n0399"`)
	wantText(t, get(t, s, "/?after=zzz").Body.String(), "None after this name")
}

func TestASmallClusterIsDrawnWholeAndWrittenAsATableToo(t *testing.T) {
	body := get(t, clusterOf(9), "/").Body.String()
	if n := strings.Count(body, "<circle"); n != 9 {
		t.Errorf("%d circles, want 9", n)
	}
	wantText(t, body, `class="up self"`, "<title>n0003: up</title>", "9 members on a circle with 36 links")
}

func TestANodeWithoutMembersToShowExplainsItself(t *testing.T) {
	s := &fixed{document: ops.Document{At: now, Cluster: "orders", Node: ops.Node{Name: "n1", State: ops.StateCannotListen, Problem: "listen tcp :7946: bind: address already in use", Started: now}},
		failure: errors.New("the node does not run")}
	body := get(t, s, "/?agreement").Body.String()
	wantText(t, body, "cannot listen", "address already in use", "The file has no topology", "the node does not run", "Nothing has happened yet")
	if strings.Contains(body, "<svg") {
		t.Error("there is nothing to draw")
	}
}

func TestEventsAreNewestFirst(t *testing.T) {
	s := clusterOf(2)
	for i := range 60 {
		s.events = append(s.events, ops.Event{At: now, Kind: fmt.Sprintf("kind%02d", i)})
	}
	body := get(t, s, "/").Body.String()
	if newest, older := strings.Index(body, "kind59"), strings.Index(body, "kind10"); newest < 0 || older < newest || strings.Contains(body, "kind09") {
		t.Errorf("newest at %d, the fiftieth at %d", newest, older)
	}
}

func TestTheAgreementIsAskedForOnlyByItsLink(t *testing.T) {
	s := clusterOf(2)
	if strings.Contains(get(t, s, "/").Body.String(), "Another state") {
		t.Error("all members were asked without a need")
	}
	s.document.Gossip = &ops.Gossip{}
	wantText(t, get(t, s, "/?agreement").Body.String(), "The same", "Another state")
}

func TestAClientThatWantsJSONIsSentToTheDocument(t *testing.T) {
	mounts := Mounts(func() Source { return clusterOf(1) })
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	mounts[0].Handler.ServeHTTP(w, r)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "api/v1/status" {
		t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
	}
}

func TestEveryAnswerForbidsWhatThePageDoesNotBring(t *testing.T) {
	for _, path := range []string{"/", "/ui/style.css", "/ui/live.js", "/ui/icon.svg"} {
		h := get(t, clusterOf(1), path).Header()
		if h.Get("Content-Security-Policy") != policy || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}

func TestDurationsHaveTwoUnitsAtMost(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 3 * time.Second: "3 s", 250 * time.Second: "4 m 10 s", time.Hour: "1 h", 51*time.Hour + time.Second: "2 d 3 h", -time.Second: "0 s",
		time.Hour + 5*time.Second: "1 h", 24 * time.Hour: "1 d",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func BenchmarkPageOf4000Members(b *testing.B) {
	s := clusterOf(4000)
	h := Mounts(func() Source { return s })[0].Handler
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}
}
