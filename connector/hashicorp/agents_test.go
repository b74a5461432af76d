package hashicorp_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/connector/hashicorp/memberlist"
	"github.com/goconvoke/convoke/connector/hashicorp/serf"
	"github.com/goconvoke/convoke/internal/command"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/local"
)

var kinds = []connector.Kind{gossip.Kind, memberlist.Kind, serf.Kind}

// quick are memberlist and serf with the patience of one machine.
var quick = []connector.Kind{
	memberlist.Options{Profile: memberlist.Local}.Kind(),
	serf.Options{Profile: serf.Local}.Kind(),
}

// site is a directory in which nodes of one cluster meet.
type site struct {
	t          *testing.T
	dir, kind  string
	strategies *strategy.Registry
	connectors *connector.Registry
}

func newSite(t *testing.T, kind string) site {
	t.Helper()
	strategies, err := strategy.NewRegistry(local.Kind)
	if err != nil {
		t.Fatal(err)
	}
	connectors, err := connector.NewRegistry(append([]connector.Kind{gossip.Kind}, quick...)...)
	if err != nil {
		t.Fatal(err)
	}
	return site{t, shortDir(t), kind, strategies, connectors}
}

// write writes the file of a node.
func (s site) write(name, kind string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name+".yaml")
	text := fmt.Sprintf("cluster: lab\nnode: {name: %s, listen: \"127.0.0.1:0\"}\ntopologies: {here: {strategy: local, connector: %s, config: {dir: %s}, expect: 2}}\n",
		name, kind, filepath.Join(s.dir, "meet"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s site) start(name string, rejoin bool) (*agent.Node, error) {
	return agent.Start(s.t.Context(), s.write(name, s.kind), agent.Options{
		Strategies: s.strategies, Connectors: s.connectors, Log: hclog.NewNullLogger(), Socket: filepath.Join(s.dir, name), Rejoin: rejoin,
	})
}

func (s site) mustStart(name string) *agent.Node {
	s.t.Helper()
	n, err := s.start(name, false)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(n.Stop)
	return n
}

// names waits until a node sees these members.
func (s site) names(n *agent.Node, want ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), deadline)
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
	s.t.Fatalf("%s sees %v, want %v", n.Config().Name, names, want)
}

// convoke asks a node by a command.
func (s site) convoke(n *agent.Node, args ...string) (code int, printed string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code = command.Run(s.t.Context(), append(args, "--socket", n.Socket()), &stdout, &stderr, "convoke-hashicorp", kinds...)
	return code, stdout.String() + stderr.String()
}

func TestAgentsOnMemberlistAndSerfFindEachOtherAndLeave(t *testing.T) {
	for _, kind := range quick {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, kind.Name)
			a, b := s.mustStart("a"), s.mustStart("b")
			s.names(a, "a", "b")
			s.names(b, "a", "b")
			if err := a.Formed(t.Context()); err != nil {
				t.Errorf("Formed = %v", err)
			}
			code, status := s.convoke(a, "status")
			for _, part := range []string{"connector      " + kind.Name, "formed         yes", "topology here  whole: local answered", "members        2 up"} {
				if code != 0 || !strings.Contains(status, part) {
					t.Errorf("status = %d\n%s\nwant %q in it", code, status, part)
				}
			}
			for _, args := range [][]string{{"keys", "set", "k", "v"}, {"shared", "list"}, {"shared", "sync"}, {"remove", "b"}} {
				if code, printed := s.convoke(a, args...); code != 1 || !strings.Contains(printed, "needs the connector gossip, but this agent runs "+kind.Name) {
					t.Errorf("%v = %d, %q", args, code, printed)
				}
			}
			if code, printed := s.convoke(b, "leave"); code != 0 {
				t.Errorf("leave = %d, %q", code, printed)
			}
			s.names(a, "a")
		})
	}
}

func TestARunningAgentRefusesAFileThatItCouldNotStartWith(t *testing.T) {
	s := newSite(t, "serf")
	a := s.mustStart("a")
	for _, c := range []struct {
		change func() // of the file
		want   string
	}{
		{func() { s.write("a", "memberlist") }, `unknown connector "memberlist"`},
		{func() { s.write("a", "serf, prune: {mode: never}}, there: {strategy: local, connector: memberlist") }, "memberlist and serf of topology \"here\" cannot both listen"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		events := a.Supervisor().Events(ctx)
		c.change()
		for e := range events {
			if e.Kind == cluster.EventReloadFailed {
				if !strings.Contains(e.Err.Error(), c.want) {
					t.Errorf("reload = %v, want %q", e.Err, c.want)
				}
				break
			}
		}
		if ctx.Err() != nil {
			t.Errorf("no reload was refused, want %q", c.want)
		}
		cancel()
	}
}

func TestWhatNoConnectorCanDoIsRefused(t *testing.T) {
	s := newSite(t, "serf")
	if n, err := s.start("a", true); err == nil || !strings.Contains(err.Error(), "rejoin: the connector serf cannot remove members for good") {
		t.Errorf("start with Rejoin = %v, %v", n, err)
	}
	two := filepath.Join(s.dir, "two.yaml")
	text := "cluster: lab\ntopologies:\n  a: {strategy: local}\n  b: {strategy: local, connector: serf}\n"
	if err := os.WriteFile(two, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	want := two + `:4:35: connector: serf and gossip of topology "a" cannot both listen on node.listen; name one of them in all topologies`
	if code := command.Run(t.Context(), []string{"check", two}, &stdout, &stderr, "convoke-hashicorp", kinds...); code != 1 || strings.TrimSpace(stderr.String()) != want {
		t.Errorf("check = %d, %q, want %q", code, stderr.String(), want)
	}
	_, err := agent.Start(t.Context(), two, agent.Options{Strategies: s.strategies, Connectors: s.connectors})
	if err == nil || err.Error() != want {
		t.Errorf("agent.Start = %v, want %q", err, want)
	}
}
