package serf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
	"github.com/goconvoke/convoke/peer"
)

func TestTwoNodesJoin(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []connector.Key
	}{
		{"without keys", nil},
		{"with keys", []connector.Key{keyOf(t, 0)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys := func(conf *config) { conf.Keys = c.keys }
			a, b := start(t, "a", keys), start(t, "b", keys)
			a.mustJoin(t, b.peer())
			a.sees(t, b)
			b.sees(t, a)
			a.mustJoin(t, b.peer()) // is a member already
			b.mustJoin(t, a.peer())
		})
	}
}

func TestThreeNodesMeetThroughOneContact(t *testing.T) {
	a, b, c := start(t, "a", nil), start(t, "b", nil), start(t, "c", nil)
	b.mustJoin(t, a.peer())
	c.mustJoin(t, a.peer())
	a.sees(t, b, c)
	b.sees(t, a, c)
	c.sees(t, a, b)
}

func TestTagsAreSeen(t *testing.T) {
	tags := map[string]string{"role": "db"}
	a, b := start(t, "a", nil), start(t, "b", func(c *config) { c.Tags = tags })
	a.mustJoin(t, b.peer())
	a.sees(t, b)
	for _, m := range a.Serf().Members() {
		if m.Name == "b" && (m.Tags["role"] != "db" || m.Tags[ClusterTag] != "test") {
			t.Errorf("b has the tags %v", m.Tags)
		}
	}
	if len(tags) != 1 {
		t.Errorf("the tags of the caller became %v", tags)
	}
}

func TestAnotherClusterIsRefusedBothWays(t *testing.T) {
	a := start(t, "a", func(c *config) { c.Cluster = "red" })
	b := start(t, "b", func(c *config) { c.Cluster = "blue" })
	for _, way := range []struct {
		from, to *node
		other    string
	}{{a, b, `"blue"`}, {b, a, `"red"`}} {
		err := way.from.join(t, way.to.peer())
		if !errors.Is(err, connector.ErrForeign) || !strings.Contains(err.Error(), way.other) {
			t.Errorf("Connect = %v, want ErrForeign that names %s", err, way.other)
		}
		way.from.sees(t)
		if way.to.logs.count("a node of another cluster called") != 1 {
			t.Error("the called node did not log its caller once")
		}
	}
}

// bare starts serf as a program without convoke would.
func bare(t *testing.T, label string, tags map[string]string) *serf.Serf {
	t.Helper()
	conf := serf.DefaultConfig()
	conf.NodeName, conf.Tags, conf.LogOutput = "bare", tags, &lines{}
	m := memberlist.DefaultLocalConfig()
	m.BindAddr, m.BindPort, m.Label, m.LogOutput = "127.0.0.1", 0, label, &lines{}
	conf.MemberlistConfig = m
	s, err := serf.Create(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown() })
	return s
}

func TestABareSerfOfTheClusterJoins(t *testing.T) {
	a := start(t, "a", nil)
	s := bare(t, "test", nil)
	if _, err := s.Join([]string{a.peer().Addr}, true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bare node is listed", func() bool {
		got, _ := a.List(t.Context())
		return len(got) == 1 && got[0] == peer.Peer{Addr: s.Memberlist().LocalNode().Address(), ID: "bare"}
	})
}

func TestASerfTaggedForAnotherClusterIsForeign(t *testing.T) {
	a := start(t, "a", nil)
	s := bare(t, "test", map[string]string{ClusterTag: "blue"})
	err := a.join(t, peer.Peer{Addr: s.Memberlist().LocalNode().Address()})
	if !errors.Is(err, connector.ErrForeign) || !strings.Contains(err.Error(), `"blue"`) {
		t.Errorf("Connect = %v, want ErrForeign that names the other cluster", err)
	}
	_, _ = s.Join([]string{a.peer().Addr}, true) // a refuses it as well
	eventually(t, "the refusal is logged", func() bool { return a.logs.count("a node of another cluster was refused") > 0 })
	a.sees(t)
}

func TestSelfIsRecognised(t *testing.T) {
	a := start(t, "a", nil)
	all := start(t, "all", func(c *config) { c.Listen = "0.0.0.0:0" })
	for _, c := range []struct {
		node *node
		host string
	}{{a, "127.0.0.1"}, {a, "0.0.0.0"}, {all, "127.0.0.2"}} {
		port := netip.MustParseAddrPort(c.node.peer().Addr).Port()
		err := c.node.join(t, peer.Peer{Addr: fmt.Sprintf("%s:%d", c.host, port)})
		if !errors.Is(err, connector.ErrSelf) {
			t.Errorf("Connect to %s = %v, want ErrSelf", c.host, err)
		}
		c.node.sees(t)
	}
}

func TestPortInUseIsRetried(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := taken.Addr().String()
	n := prepare(t, "a", func(c *config) { c.Listen = addr })
	n.run(t)
	want := "listen " + addr + " (tcp): address already in use"
	eventually(t, want, func() bool {
		_, err := n.List(t.Context())
		return err != nil && err.Error() == want
	})
	if n.Serf() != nil {
		t.Error("Serf() is not nil before the bind")
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	n.waitBound(t)
	start(t, "b", nil).mustJoin(t, n.peer())
}

func TestLeaveIsSeenAtOnce(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	b.mustJoin(t, a.peer())
	a.sees(t, b)
	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.sees(t)
	for _, m := range a.Serf().Members() {
		if m.Name == "b" && m.Status != serf.StatusLeft && m.Status != serf.StatusLeaving {
			t.Errorf("b is %v after it left", m.Status)
		}
	}
	if _, err := b.List(t.Context()); !errors.Is(err, mlnet.ErrLeft) {
		t.Errorf("List after Leave = %v, want %v", err, mlnet.ErrLeft)
	}
}

func TestAFailedMemberIsNotListedAndNotForgotten(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	b.mustJoin(t, a.peer())
	a.sees(t, b)
	b.stop() // without an announcement, as after a crash
	a.sees(t)
	found := false
	for _, m := range a.Serf().Members() {
		found = found || m.Name == "b" && m.Status == serf.StatusFailed
	}
	if !found {
		t.Errorf("serf knows %v, want b as failed", a.Serf().Members())
	}
	again := start(t, "b", nil)
	again.mustJoin(t, a.peer())
	a.sees(t, again)
	again.sees(t, a)
}

func TestRestartAfterALeaveIsAMemberAgain(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	b.mustJoin(t, a.peer())
	a.sees(t, b)
	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.stop()
	a.sees(t)
	b.run(t)
	b.waitBound(t)
	b.mustJoin(t, a.peer())
	a.sees(t, b)
	b.sees(t, a)
}

// A flood of events must not hold up serf: only the connector reads them.
func TestEventsAreAlwaysRead(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	for i := range 4 * maxEvents {
		if err := a.Serf().UserEvent(fmt.Sprint(i), nil, false); err != nil {
			t.Fatal(err)
		}
	}
	b.mustJoin(t, a.peer())
	a.sees(t, b)
}

func TestShutdownFromOutsideEndsRun(t *testing.T) {
	n := prepare(t, "a", nil)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- n.Run(ctx) }()
	n.waitBound(t)
	if err := n.Serf().Shutdown(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "serf: it was shut down from outside") {
			t.Errorf("Run() = %v, want to hear that serf was shut down", err)
		}
	case <-time.After(patience):
		t.Error("Run goes on without serf")
	}
}

func TestNewReportsEveryMistake(t *testing.T) {
	node := connector.NodeConfig{Name: "a", Cluster: "b", Listen: ":0"}
	wrong := node
	wrong.Name, wrong.Zone = "a\n", "west"
	_, err := Options{Tags: map[string]string{"a": strings.Repeat("x", 512)}, Profile: "moon"}.Kind().New(wrong, connector.Env{})
	if err == nil {
		t.Fatal("New accepted nonsense")
	}
	for _, want := range []string{
		`node.name: the name of a node holds '\n'`, "node.zone: the connector serf does not honour this setting",
		"at most 512 are allowed", `unknown profile "moon"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New() = %q, want it to hold %q", err, want)
		}
	}
	_, err = Options{Tags: map[string]string{ClusterTag: "c"}}.Kind().New(node, connector.Env{})
	if err == nil || !strings.Contains(err.Error(), ClusterTag) {
		t.Errorf("New with the tag of the connector = %v, want an error", err)
	}
}

// What New lets in, serf must let in too.
func TestTheLargestTagsRun(t *testing.T) {
	largest := map[string]string{}
	for i := range 16 {
		largest[fmt.Sprint("k", i)] = ""
	}
	for encodedSize(withCluster(largest, "test")) < maxTags {
		largest["k0"] += "x"
	}
	a, b := start(t, "a", func(c *config) { c.Tags = largest }), start(t, "b", nil)
	b.mustJoin(t, a.peer())
	b.sees(t, a)
	largest["k0"] += "x"
	if _, err := newConnector(config{NodeConfig: connector.NodeConfig{Name: "a", Cluster: "test", Listen: ":0"}, Options: Options{Tags: largest}}); err == nil {
		t.Error("New accepted more tags than serf does")
	}
}
