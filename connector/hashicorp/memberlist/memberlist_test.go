package memberlist

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

func TestAnotherClusterIsRefusedBothWays(t *testing.T) {
	for _, c := range []struct {
		name       string
		key1, key2 []connector.Key
	}{
		{"without keys", nil, nil},
		{"with the same key", []connector.Key{keyOf(t, 0)}, []connector.Key{keyOf(t, 0)}},
		{"with a key on one side", []connector.Key{keyOf(t, 0)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := start(t, "a", func(conf *config) { conf.Cluster, conf.Keys = "red", c.key1 })
			b := start(t, "b", func(conf *config) { conf.Cluster, conf.Keys = "blue", c.key2 })
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
		})
	}
}

func TestNodesWithoutALabelAreForeign(t *testing.T) {
	a := start(t, "a", nil)
	conf := memberlist.DefaultLocalConfig()
	conf.Name, conf.BindAddr, conf.BindPort = "bare", "127.0.0.1", 0
	conf.LogOutput = &lines{}
	bare, err := memberlist.Create(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bare.Shutdown() }()
	if n, err := bare.Join([]string{a.peer().Addr}); err == nil || n != 0 {
		t.Errorf("a bare memberlist joined: %d, %v", n, err)
	}
	err = a.join(t, peer.Peer{Addr: bare.LocalNode().Address()})
	if err == nil || !strings.Contains(err.Error(), "another cluster") {
		t.Errorf("Connect to a bare memberlist = %v, want a hint at another cluster", err)
	}
	a.sees(t)
}

func TestBareMemberlistOfTheClusterJoins(t *testing.T) {
	a := start(t, "a", nil)
	conf := memberlist.DefaultLocalConfig()
	conf.Name, conf.BindAddr, conf.BindPort, conf.Label = "bare", "127.0.0.1", 0, "test"
	conf.LogOutput = &lines{}
	bare, err := memberlist.Create(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bare.Shutdown() }()
	if _, err := bare.Join([]string{a.peer().Addr}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bare node is listed", func() bool {
		got, _ := a.List(t.Context())
		return len(got) == 1 && got[0] == peer.Peer{Addr: bare.LocalNode().Address(), ID: "bare"}
	})
}

func TestWrongKeyIsNamed(t *testing.T) {
	key := func(b byte) func(*config) {
		return func(c *config) { c.Keys = []connector.Key{keyOf(t, b)} }
	}
	one, two, none := start(t, "one", key(1)), start(t, "two", key(2)), start(t, "none", nil)
	for _, c := range []struct {
		from, to *node
		want     string
	}{
		{one, two, "it encrypts with another key"},
		{one, none, "it does not encrypt and this node does"},
		{none, one, "it encrypts and this node has no keys"},
	} {
		err := c.from.join(t, c.to.peer())
		if err == nil || errors.Is(err, connector.ErrForeign) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Connect from %s to %s = %v, want %q", c.from.config.Name, c.to.config.Name, err, c.want)
		}
		c.from.sees(t)
	}
}

func TestSelfIsRecognised(t *testing.T) {
	a := start(t, "a", nil)
	all := start(t, "all", func(c *config) { c.Listen = "0.0.0.0:0" })
	port := func(n *node) uint16 { return netip.MustParseAddrPort(n.peer().Addr).Port() }
	for _, c := range []struct {
		name string
		node *node
		host string
	}{
		{"the bound address", a, "127.0.0.1"},
		{"a name of it", a, "localhost"},
		{"the unspecified address", a, "0.0.0.0"},
		{"another address of the host", all, "127.0.0.2"},
		{"a name, all interfaces", all, "localhost"},
	} {
		c.node.node.Names = loopback{}
		err := c.node.join(t, peer.Peer{Addr: fmt.Sprintf("%s:%d", c.host, port(c.node))})
		if !errors.Is(err, connector.ErrSelf) {
			t.Errorf("%s: Connect to %s = %v, want ErrSelf", c.name, c.host, err)
		}
		c.node.sees(t)
	}
}

func TestNameWithSelfAndAnotherJoinsTheOther(t *testing.T) {
	a := start(t, "a", func(c *config) { c.Listen = "127.0.0.2:0" })
	port := netip.MustParseAddrPort(a.peer().Addr).Port()
	b := start(t, "b", func(c *config) { c.Listen = fmt.Sprintf("127.0.0.3:%d", port) })
	a.node.Names = loopback{"127.0.0.2", "127.0.0.4", "127.0.0.3"}
	a.mustJoin(t, peer.Peer{Addr: fmt.Sprintf("all-hosts:%d", port)})
	a.sees(t, b)
}

// After a split the name of many nodes must lead to the half that is missing.
func TestNameWithAMemberAndAnotherJoinsTheOther(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", func(c *config) { c.Listen = "127.0.0.2:0" })
	port := netip.MustParseAddrPort(b.peer().Addr).Port()
	c := start(t, "c", func(c *config) { c.Listen = fmt.Sprintf("127.0.0.3:%d", port) })
	a.mustJoin(t, b.peer())
	a.node.Names = loopback{"127.0.0.2", "127.0.0.3", "127.0.0.4"}
	allHosts := peer.Peer{Addr: fmt.Sprintf("all-hosts:%d", port)}
	a.mustJoin(t, allHosts)
	a.sees(t, b, c)
	a.mustJoin(t, allHosts) // 127.0.0.4 refuses; the members are enough
}

// loopback resolves every name to these addresses, 127.0.0.1 if there are none.
type loopback []string

func (l loopback) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if len(l) == 0 {
		l = loopback{"127.0.0.1"}
	}
	var all []netip.Addr
	for _, s := range l {
		all = append(all, netip.MustParseAddr("::ffff:"+s))
	}
	return all, nil
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
	if err := n.join(t, peer.Peer{Addr: "127.0.0.1:1"}); err == nil || err.Error() != want {
		t.Errorf("Connect = %v, want %q", err, want)
	}
	if got := n.Self(); len(got) != 1 || got[0].Addr != addr {
		t.Errorf("Self() = %v before the bind, want the configured address", got)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	n.waitBound(t)
	if tries, ok := n.logs.count("cannot listen"), n.logs.count("listening:"); tries != 1 || ok != 1 {
		t.Errorf("logged %d failures and %d successes, want one of each", tries, ok)
	}
	start(t, "b", nil).mustJoin(t, n.peer())
}

func TestRestartUnderTheSameNameAndANewPort(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	b.mustJoin(t, a.peer())
	a.sees(t, b)
	b.stop() // without an announcement, as after a crash
	again := start(t, "b", nil)
	again.mustJoin(t, a.peer())
	a.sees(t, again)
	again.sees(t, a)
}

func TestLeaveIsSeenAtOnce(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	a.tune = nil
	b.mustJoin(t, a.peer())
	a.sees(t, b)
	drainEvents(a.Changes())
	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-a.Changes():
	case <-time.After(patience):
		t.Error("Changes did not wake when a member left")
	}
	a.sees(t)
	if _, err := b.List(t.Context()); !errors.Is(err, mlnet.ErrLeft) {
		t.Errorf("List after Leave = %v, want %v", err, mlnet.ErrLeft)
	}
}

func drainEvents(ch <-chan struct{}) {
	select {
	case <-ch:
	default:
	}
}

func TestConnectToABlackHoleEndsWithItsContext(t *testing.T) {
	hole, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	a := start(t, "a", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err = a.Connect(ctx, peer.Peer{Addr: hole.Addr().String()})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Connect = %v, want its deadline", err)
	}
	if took := time.Since(begin); took > mlnet.TCPTimeout/2 {
		t.Errorf("Connect returned after %v, want soon after its deadline", took)
	}
}

func TestStopEndsAConnectToABlackHole(t *testing.T) {
	hole, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	a := start(t, "a", nil)
	called := make(chan error, 1)
	go func() { called <- a.Connect(context.Background(), peer.Peer{Addr: hole.Addr().String()}) }()
	if _, err := hole.Accept(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	a.stop()
	if took := time.Since(begin); took > mlnet.TCPTimeout/2 {
		t.Errorf("Run ended after %v, want it at once", took)
	}
	if err := <-called; err == nil {
		t.Error("Connect succeeded")
	}
}

func TestTwoNodesOfOneNameAreLoggedOnce(t *testing.T) {
	a, b, twin := start(t, "a", nil), start(t, "b", nil), start(t, "b", nil)
	b.mustJoin(t, a.peer())
	a.sees(t, b)
	if err := twin.join(t, a.peer()); err != nil {
		t.Log(err)
	}
	const line = "two nodes carry the same name, give each its own"
	eventually(t, line, func() bool { return a.logs.count("[ERROR] "+line) > 0 })
	if err := twin.join(t, a.peer()); err != nil {
		t.Log(err)
	}
	if got := a.logs.count("addr=" + b.peer().Addr + " other_addr=" + twin.peer().Addr); got != 1 {
		t.Errorf("the pair was logged %d times, want once", got)
	}
	if got := a.logs.count("Conflicting address"); got != 0 {
		t.Errorf("memberlist's own line was logged %d times", got)
	}
}

func TestRunsAgainAfterItEnded(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	if err := a.Run(t.Context()); !errors.Is(err, mlnet.ErrRunning) {
		t.Errorf("a second Run = %v, want %v", err, mlnet.ErrRunning)
	}
	if err := a.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.stop()
	if _, err := a.List(t.Context()); !errors.Is(err, mlnet.ErrNotRunning) {
		t.Errorf("List after the end = %v, want %v", err, mlnet.ErrNotRunning)
	}
	if a.Memberlist() != nil {
		t.Error("Memberlist() is not nil after the end")
	}
	a.run(t)
	a.waitBound(t)
	a.mustJoin(t, b.peer())
	a.sees(t, b)
}
