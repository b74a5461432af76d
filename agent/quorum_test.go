package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/quorum"
)

// sections is the part of a file that all nodes with a quorum share.
const sections = `quorum: {lease: 1s}
groups: {orders: {shards: 12, hash: java}, cache: {shards: 4, level: prefer}}
http: {listen: "127.0.0.1:0", names: [orders.example]}
`

// startQuorum starts a node of a cluster of so many with these sections in its file.
func (s site) startQuorum(name string, expect int, more string) *agent.Node {
	s.t.Helper()
	path := s.write(name, fmt.Sprintf(", expect: %d", expect))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(more)
	}
	if err != nil {
		s.t.Fatal(errors.Join(err, f.Close()))
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
	n, err := agent.Start(s.t.Context(), path, s.options(name))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(n.Stop)
	return n
}

// trio starts three nodes that form a cluster and its quorum.
func (s site) trio() []*agent.Node {
	s.t.Helper()
	var all []*agent.Node
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, s.startQuorum(name, 3, sections))
	}
	formed(s.t, all...)
	return all
}

// eventually waits until a condition holds; what is shown if it does not.
func eventually(t *testing.T, holds func() (ok bool, what any)) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(deadline); ; <-tick.C {
		ok, what := holds()
		if ok {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("not within %v: %+v", deadline, what)
		}
	}
}

// work has a node hold shards of the group orders until the test ends.
func work(t *testing.T, n *agent.Node) {
	t.Helper()
	orders, err := n.Shards("orders")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- orders.Work(ctx, func(ctx context.Context, _ quorum.Hold) error { <-ctx.Done(); return nil })
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

// get asks the handler of a node and decodes its answer.
func get[T any](t *testing.T, n *agent.Node, path string) (v T) {
	t.Helper()
	w := httptest.NewRecorder()
	n.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if err := json.Unmarshal(w.Body.Bytes(), &v); w.Code != http.StatusOK || err != nil || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Fatalf("%s = %d %v %s, %v", path, w.Code, w.Header(), w.Body, err)
	}
	return v
}

// ringMember is a member as users of ring-election read it.
type ringMember struct {
	Partitions []int
	Hostname   string
	Port       int
	ID         string
	Priority   int
}

// divided waits until all shards of orders are held by these nodes alone, as each of them knows.
func divided(t *testing.T, nodes ...*agent.Node) {
	t.Helper()
	for _, n := range nodes {
		eventually(t, func() (bool, any) {
			ring := get[[]ringMember](t, n, "/status")
			var all []int
			for _, m := range ring {
				all = append(all, m.Partitions...)
			}
			slices.Sort(all)
			return len(ring) == len(nodes) && slices.Equal(all, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), ring
		})
	}
}

func TestThreeAgentsDivideTheShardsOfTheirFile(t *testing.T) {
	t.Parallel()
	nodes := newSite(t).trio()
	for _, n := range nodes {
		work(t, n)
	}
	divided(t, nodes...)
	for _, n := range nodes {
		ring := get[[]ringMember](t, n, "/status")
		last := ring[2]
		if last.ID != "" || last.Priority != 0 || last.Port == 0 || last.Hostname != "127.0.0.1" {
			t.Errorf("the last member %+v of %s is not the leader", last, n.Config().Name)
		}
		if ring[0].Priority != 1 || ring[1].Priority != 2 || ring[0].ID == "" || ring[0].Port == ring[1].Port {
			t.Errorf("the followers are %+v", ring[:2])
		}
		eventually(t, func() (bool, any) {
			mine := get[[]int](t, n, "/partitions")
			return len(mine) == 4, mine
		})
	}
	doc := get[ops.QuorumStatus](t, nodes[0], "/api/v1/quorum")
	if doc.Leader == "" || doc.Why != "" || doc.Wanted != 3 || len(doc.Sessions) != 3 || doc.Lease <= 0 || doc.Lease > 1 || doc.Session == "" {
		t.Errorf("quorum = %+v", doc)
	}
	group := get[struct {
		ops.Group
		Holders []ops.Shard
	}](t, nodes[1], "/api/v1/shards/orders")
	if group.Name != "orders" || group.Level != "exclusive" || group.Shards != 12 || group.Members != 3 || len(group.Holders) != 12 || group.Holders[0].Token == 0 {
		t.Errorf("group = %+v", group)
	}
	nodes[2].Stop()
	divided(t, nodes[:2]...)
}

func TestAnOperatorDecidesWhereShardsAreHeld(t *testing.T) {
	t.Parallel()
	nodes := newSite(t).trio()
	for _, n := range nodes {
		work(t, n)
	}
	divided(t, nodes...)
	order := func(verb string, shard int, member string) {
		t.Helper()
		ask[struct{}](t, nodes[0], http.MethodPost, "shards/orders/"+verb+"?timeout=20", ops.PlaceRequest{Shard: shard, Member: member})
	}
	held := func(member string) []int {
		var all []int
		for _, s := range ask[ops.GroupDocument](t, nodes[0], http.MethodGet, "shards/orders", nil).Holders {
			if s.Holder == member {
				all = append(all, s.Shard)
			}
		}
		return all
	}
	for shard := range 5 { // more than its share
		order(ops.PlacePin, shard, "b")
	}
	eventually(t, func() (bool, any) {
		has := held("b")
		return len(has) >= 5 && slices.Equal(has[:5], []int{0, 1, 2, 3, 4}), has
	})
	order(ops.PlaceMove, 11, "c")
	eventually(t, func() (bool, any) { return slices.Contains(held("c"), 11), held("c") })
	order(ops.PlaceDrain, 0, "b")
	eventually(t, func() (bool, any) { return len(held("b")) == 0, held("b") })
	divided(t, nodes...)
	order(ops.PlaceInclude, 0, "b")
	eventually(t, func() (bool, any) { return len(held("b")) >= 5, held("b") })
	for shard := range 5 {
		order(ops.PlacePin, shard, "")
	}
	err := request(t.Context(), nodes[0], http.MethodPost, "shards/orders/pin", ops.PlaceRequest{Shard: 12, Member: "b"}, nil)
	if err == nil || !strings.Contains(err.Error(), `shard 12 of group "orders"`) {
		t.Errorf("pin of a shard that the group does not have = %v", err)
	}
}

func TestAGroupOfLevelPreferFollowsTheView(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const file = "groups: {cache: {shards: 4, level: prefer, hash: java}}\n"
	a, b := s.startQuorum("a", 2, file), s.startQuorum("b", 2, file)
	formed(t, a, b)
	if a.Quorum() != nil {
		t.Error("there is a quorum, which the file does not have")
	}
	for _, key := range []string{"KEY", "a", "hello", "42"} {
		eventually(t, func() (bool, any) {
			one, shard, err := a.Prefer("cache", key)
			two, _, _ := b.Prefer("cache", key)
			return err == nil && one == two && one != "" && shard == quorum.OfJava(key, 4), []any{one, two, shard, err}
		})
	}
	if list := get[[]ops.Group](t, a, "/api/v1/shards"); len(list) != 1 || list[0].Level != "prefer" || list[0].Vacant != 0 {
		t.Errorf("groups = %+v", list)
	}
	if _, err := a.Shards("cache"); err == nil || !strings.Contains(err.Error(), "has no holders") {
		t.Errorf("Shards of a group of level prefer = %v", err)
	}
	if _, _, err := a.Prefer("other", "x"); err == nil || !strings.Contains(err.Error(), `no group "other"`) {
		t.Errorf("Prefer of a group that the file does not have = %v", err)
	}
	if code, text := probeHandler(a, "/api/v1/quorum"); code != http.StatusNotFound || !strings.Contains(text, "no section quorum") {
		t.Errorf("/api/v1/quorum = %d %s", code, text)
	}
}

func TestEveryQuestionIsAnsweredBeforeThereIsALeader(t *testing.T) {
	t.Parallel()
	n := newSite(t).startQuorum("a", 3, sections)
	eventually(t, func() (bool, any) { return n.Quorum() != nil, "the quorum is not open" })
	eventually(t, func() (bool, any) {
		ring := get[[]ringMember](t, n, "/status")
		return len(ring) == 1 && ring[0].ID == "a" && len(ring[0].Partitions) == 0, ring
	})
	if mine := get[[]int](t, n, "/partitions"); mine == nil || len(mine) != 0 {
		t.Errorf("partitions = %v, want none", mine)
	}
	doc := get[ops.QuorumStatus](t, n, "/api/v1/quorum")
	if doc.Leader != "" || doc.Why == "" || doc.Age != nil {
		t.Errorf("quorum = %+v, want why there is no leader", doc)
	}
	status := ask[ops.Document](t, n, http.MethodGet, "status", nil)
	if q := status.Quorum; q == nil || q.Why == "" || status.Node.HTTP == "" {
		t.Errorf("status = %+v", status)
	}
	for path, want := range map[string]string{"/api/v1/shards/none": `no group \"none\"`, "/partitions?group=none": `no group \"none\"`, "/status?group=none": `no group \"none\"`} {
		if code, text := probeHandler(n, path); code != http.StatusNotFound || !strings.Contains(text, want) {
			t.Errorf("%s = %d %s, want 404 and %s", path, code, text, want)
		}
	}
	if groups := get[[]ops.Group](t, n, "/api/v1/shards"); len(groups) != 2 || groups[0].Name != "orders" || groups[0].Vacant != 12 {
		t.Errorf("groups = %+v", groups)
	}
}

func TestHTTPIsServedForItsOwnNamesAlone(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := newSite(t)
	n := s.startQuorum("a", 1, fmt.Sprintf("http: {listen: %q, names: [orders.example]}\n", taken.Addr()))
	eventually(t, func() (bool, any) { return strings.Contains(s.log.String(), "cannot listen, trying again"), s.log })
	_ = taken.Close()
	eventually(t, func() (bool, any) { return n.HTTP() != "", "nothing is served" })
	for host, want := range map[string]int{"": 200, "localhost:80": 200, "[::1]:80": 200, "10.0.0.1": 200, "ORDERS.example.": 200, "evil.example": 421} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.HTTP()+"/livez", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("host %q = %d, want %d", host, res.StatusCode, want)
		}
	}
	n.Stop()
	if c, err := net.Dial("tcp", taken.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the port is still served after Stop")
	}
}

func TestAQuorumOnAnotherConnectorIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := s.write("a", ", expect: 1")
	if err := os.WriteFile(path, []byte("quorum: {}\ngroups: {cache: {shards: 1, level: prefer}}\ncluster: x\ntopologies: {here: {strategy: local, config: {dir: "+filepath.Join(s.dir, "meet")+"}, expect: 1}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := s.options("a")
	var err error
	if o.Connectors, err = connector.NewRegistry(connector.Own("mesh")); err != nil {
		t.Fatal(err)
	}
	_, err = agent.Start(t.Context(), path, o)
	for _, want := range []string{path + ":1:9: quorum: the connector mesh does not honour this setting", path + ":2:9: groups: the connector mesh does not honour this setting"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start = %v, want %q", err, want)
		}
	}
}

// terms asks for a term as the leader under a name; the steps arrive until cancel or its end.
func terms(t *testing.T, n *agent.Node, name string) (steps <-chan ops.Term, end context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan ops.Term)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(out)
		_ = admin.NewClient(n.Socket()).Stream(ctx, http.MethodPost, "/api/v1/elect/"+name, nil, func(_ string, data json.RawMessage) error {
			var step ops.Term
			if err := json.Unmarshal(data, &step); err != nil {
				return err
			}
			select {
			case out <- step:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return out, cancel
}

func TestATermOfAClientEndsWithItsConnectionAndTheNextOneBegins(t *testing.T) {
	t.Parallel()
	nodes := newSite(t).trio()
	first, endFirst := terms(t, nodes[0], "billing")
	begun := <-first
	if begun.Event != ops.TermBegins || begun.Token == 0 || begun.Left <= 0 || begun.Margin != int64(100*time.Millisecond) {
		t.Fatalf("the first step is %+v", begun)
	}
	if next := <-first; next.Event != ops.TermGoesOn || next.Token != begun.Token {
		t.Errorf("the next step is %+v", next)
	}
	second, endSecond := terms(t, nodes[1], "billing")
	defer endSecond()
	select {
	case step := <-second:
		t.Fatalf("another one leads at the same time: %+v", step)
	case <-first: // some steps of the first
	}
	endFirst()
	if step := <-second; step.Event != ops.TermBegins || step.Token <= begun.Token {
		t.Errorf("after the first term comes %+v, want a greater token than %d", step, begun.Token)
	}
}

func TestAnAgentThatStopsEndsTheTermBeforeItLeaves(t *testing.T) {
	t.Parallel()
	nodes := newSite(t).trio()
	steps, end := terms(t, nodes[0], "billing")
	<-steps
	stopped := make(chan struct{})
	go func() { defer close(stopped); nodes[0].Stop() }()
	for step := range steps {
		if step.Event == ops.TermEnds {
			if step.Why == "" || step.Left <= 0 {
				t.Errorf("the end of the term is %+v", step)
			}
			end() // the command has ended
		}
	}
	select {
	case <-stopped:
	case <-time.After(deadline):
		t.Fatal("the node did not stop")
	}
}

func TestTheMapIsOneForAllAgents(t *testing.T) {
	t.Parallel()
	nodes := newSite(t).trio()
	write := func(n *agent.Node, method string, body any) error {
		return request(t.Context(), n, method, "map/k?timeout=20", body, nil)
	}
	value := func(s string) *ops.Text { return (*ops.Text)(&s) }
	if err := write(nodes[0], http.MethodPut, ops.KeyWrite{Value: value("1")}); err != nil {
		t.Fatal(err)
	}
	expect := ops.Expectation{Expect: value("1")}
	if err := write(nodes[1], http.MethodPut, ops.KeyWrite{Value: value("2"), Expectation: expect}); err != nil {
		t.Fatal(err)
	}
	if err := write(nodes[2], http.MethodPut, ops.KeyWrite{Value: value("3"), Expectation: expect}); err == nil || !strings.Contains(err.Error(), `"k" has another value: "2"`) {
		t.Errorf("an update of another value = %v", err)
	}
	got := ask[ops.Pair](t, nodes[2], http.MethodGet, "map/k", nil)
	if diff := cmp.Diff(ops.Pair{Key: "k", Value: value("2"), Size: 1}, got); diff != "" {
		t.Errorf("get (-want +got)\n%s", diff)
	}
	if err := write(nodes[0], http.MethodDelete, nil); err != nil {
		t.Error(err)
	}
	if err := request(t.Context(), nodes[1], http.MethodGet, "map/k", nil, nil); err == nil || !strings.Contains(err.Error(), `the map has no key "k"`) {
		t.Errorf("get of a deleted key = %v", err)
	}
}

func TestRequestsOfAQuorumNeedTheSection(t *testing.T) {
	t.Parallel()
	n := newSite(t).start("a", 1)
	formed(t, n)
	for _, op := range [][2]string{{"GET", "quorum"}, {"POST", "quorum/recover"}, {"POST", "elect/x"}, {"GET", "map/x"}} {
		if err := request(t.Context(), n, op[0], op[1], nil, nil); err == nil || !strings.Contains(err.Error(), "the file has no section quorum") {
			t.Errorf("%s = %v", op, err)
		}
	}
}

// withLostQuorum starts a node whose quorum cannot be opened.
func (s site) withLostQuorum() *agent.Node {
	s.t.Helper()
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "quorum"), []byte("not a directory"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	path := s.write("a", ", expect: 1")
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	text = append(bytes.Replace(text, []byte("node: {"), []byte("node: {data_dir: "+data+", "), 1), sections...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	n, err := agent.Start(s.t.Context(), path, s.options("a"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(n.Stop)
	return n
}

func TestFormedEndsWithANodeWhoseQuorumCannotBeOpened(t *testing.T) {
	t.Parallel()
	n := newSite(t).withLostQuorum()
	waiting := make(chan error, 1)
	go func() { waiting <- n.Formed(context.Background()) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := n.Formed(ctx); err == nil || !strings.Contains(err.Error(), "not a directory") || strings.Contains(err.Error(), "quorum: quorum:") {
		t.Errorf("Formed = %v, want why the quorum cannot be opened", err)
	}
	n.Stop()
	select {
	case err := <-waiting:
		if err == nil {
			t.Error("Formed = nil after the end of a node that has not formed")
		}
	case <-time.After(deadline):
		t.Error("Formed did not return when the node ended")
	}
}

func TestWhatHasFormedHasFormedUnderAContextThatHasEnded(t *testing.T) {
	t.Parallel()
	n := newSite(t).startQuorum("a", 1, sections)
	formed(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // a choice between two that are ready is a random one
		if err := n.Formed(ctx); err != nil {
			t.Fatalf("Formed = %v, want nil", err)
		}
	}
}
