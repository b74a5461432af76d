package serf

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/serf/serf"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
	"github.com/goconvoke/convoke/peer"
)

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

func TestASerfWithoutALabelIsNotLetIn(t *testing.T) {
	a := start(t, "a", nil)
	s := bare(t, "", nil)
	if err := a.join(t, peer.Peer{Addr: s.Memberlist().LocalNode().Address()}); err == nil {
		t.Error("Connect to a serf without a label succeeded")
	}
	if _, err := s.Join([]string{a.peer().Addr}, true); err == nil {
		t.Error("a serf without a label came in")
	}
	a.sees(t)
}

func TestNamesakesAreLoggedAndBothLive(t *testing.T) {
	a, b, twin := start(t, "a", nil), start(t, "b", nil), start(t, "b", nil)
	b.mustJoin(t, a.peer())
	a.sees(t, b)
	if err := twin.join(t, a.peer()); err != nil {
		t.Log(err)
	}
	eventually(t, "the clash is logged", func() bool { return a.logs.count("Name conflict for 'b'") > 0 })
	a.sees(t, b)
	for _, n := range []*node{b, twin} {
		if got := n.Serf().State(); got != serf.SerfAlive {
			t.Errorf("a namesake is %v, want it alive", got)
		}
	}
}

func TestGuardRefusesWhatCannotBeDialled(t *testing.T) {
	g := &guard{self: "me", cluster: "test", taken: func() {}, log: mlnet.NewDamper(hclog.NewNullLogger())}
	ok := serf.Member{Name: "n", Addr: net.IPv4(10, 0, 0, 1), Port: 1, Tags: map[string]string{ClusterTag: "test"}}
	if err := g.NotifyMerge([]*serf.Member{&ok}); err != nil {
		t.Errorf("NotifyMerge(%v) = %v", ok, err)
	}
	for _, change := range []func(*serf.Member){
		func(m *serf.Member) { m.Addr = net.IP{1, 2, 3} },
		func(m *serf.Member) { m.Addr = net.IPv4zero },
		func(m *serf.Member) { m.Port = 0 },
		func(m *serf.Member) { m.Name = "" },
		func(m *serf.Member) { m.Name = strings.Repeat("n", 256) },
		func(m *serf.Member) { m.Name = "n\nfake line" },
		func(m *serf.Member) { m.Tags = map[string]string{ClusterTag: "blue"} },
		func(m *serf.Member) { m.Tags = map[string]string{ClusterTag: ""} },
	} {
		m := ok
		change(&m)
		if err := g.NotifyMerge([]*serf.Member{&m}); err == nil {
			t.Errorf("NotifyMerge(%q at %v:%d, %v) = nil, want an error", m.Name, m.Addr, m.Port, m.Tags)
		}
	}
}

func TestGuardNoticesThatOurNameIsTaken(t *testing.T) {
	here, there := net.IPv4(10, 0, 0, 1), net.IPv4(10, 0, 0, 2)
	for _, c := range []struct {
		name string
		m    serf.Member
		want int
	}{
		{"we at our address", serf.Member{Name: "me", Addr: here, Port: 1}, 0},
		{"another at another", serf.Member{Name: "n", Addr: there, Port: 1}, 0},
		{"we at another, left", serf.Member{Name: "me", Addr: there, Port: 1, Status: serf.StatusLeft}, 0},
		{"we at another", serf.Member{Name: "me", Addr: there, Port: 1}, 1},
		{"we at another port", serf.Member{Name: "me", Addr: here, Port: 2}, 1},
	} {
		taken := 0
		g := &guard{
			self: "me", cluster: "test", public: netip.MustParseAddrPort("10.0.0.1:1"),
			taken: func() { taken++ }, log: mlnet.NewDamper(hclog.NewNullLogger()),
		}
		if err := g.NotifyMerge([]*serf.Member{&c.m}); err != nil || taken != c.want {
			t.Errorf("%s: NotifyMerge = %v and taken %d times, want nil and %d", c.name, err, taken, c.want)
		}
	}
}

// What a hostile node writes into its tags must come out of an error quoted and bounded.
func TestTheNameOfAnotherClusterIsQuoted(t *testing.T) {
	g := &guard{cluster: "test", log: mlnet.NewDamper(hclog.NewNullLogger())}
	evil := &serf.Member{Name: "n", Tags: map[string]string{ClusterTag: "x\n\"" + strings.Repeat("y", 400)}}
	err := (&underneath{}).foreignError(g.NotifyMerge([]*serf.Member{evil}))
	if !errors.Is(err, connector.ErrForeign) || len(err.Error()) > 250 || strings.Contains(err.Error(), "\n") {
		t.Errorf("foreign = %q, want a short ErrForeign of one line", err)
	}
}
