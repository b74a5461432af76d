package cluster_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/local"
	"github.com/goconvoke/convoke/strategy/static"
)

// key is a pre-shared key as a file has it.
const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func optionsOfGossip(t *testing.T) cluster.LoadOptions {
	t.Helper()
	strategies, err := strategy.NewRegistry(static.Kind, local.Kind)
	if err != nil {
		t.Fatal(err)
	}
	connectors, err := connector.NewRegistry(gossip.Kind, connector.Own("mine"))
	if err != nil {
		t.Fatal(err)
	}
	return cluster.LoadOptions{Strategies: strategies, Connectors: connectors}
}

func TestSettingsWithConsequencesAreWarnings(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	const loopback = "cluster: lab\nnode: {name: a, listen: '127.0.0.1:7946'}\n"
	const here = "topologies:\n  here: {strategy: local, expect: 3}\n"
	const disk = "cluster: lab\nnode: {name: a, listen: '127.0.0.1:7946', data_dir: /var/lib/lab}\n"
	for _, c := range []struct {
		name, text string
		want       []string // the beginning of each warning, in order
	}{
		{"nothing", loopback + here, nil},
		{"a topology that waits for no peer", loopback + "topologies:\n  here:\n    strategy: local\n",
			[]string{"f:5:5: warning: expect: not given, so the topology counts as formed and whole also while this node is alone"}},
		{"a number of nodes that is not known on purpose", loopback + "topologies:\n  here: {strategy: local, expect: 0}\n", nil},
		{"a number of peers instead", loopback + "topologies:\n  here: {strategy: local, min_peers: 1}\n", nil},
		{"all interfaces, by default", "cluster: lab\nnode: {name: a}\n" + here, []string{"f:2:7: warning: node.listen: other hosts can reach 0.0.0.0:7946, and neither"}},
		{"all interfaces by IPv6", "cluster: lab\nnode: {name: a, listen: '[::]:7946'}\n" + here, []string{"f:2:25: warning: node.listen: other hosts can reach [::]:7946"}},
		{"a public address", "cluster: lab\nnode: {name: a, listen: '192.0.2.7:7946'}\n" + here, []string{"f:2:25: warning: node.listen: other hosts can reach 192.0.2.7:7946"}},
		{"a private address", "cluster: lab\nnode: {name: a, listen: '10.0.0.7:7946'}\n" + here, nil},
		{"all interfaces with a key", "cluster: lab\nnode: {name: a, keys: [" + key + "]}\n" + here, nil},
		{"a connector of which it is not known whether it listens", "cluster: lab\nnode: {name: a}\ntopologies:\n  here: {strategy: local, expect: 3, connector: mine}\n", nil},
		{"members that are forgotten soon", "cluster: lab\nnode: {name: a, listen: '127.0.0.1:7946', forget_after: 30s}\n" + here, []string{"f:2:57: warning: node.forget_after: members that cannot be reached for 30s are forgotten"}},

		{"a list of fewer peers than nodes", loopback + "topologies:\n  here: {strategy: static, expect: 4, config: {hosts: ['127.0.0.1:7947', '127.0.0.1:7948']}}\n",
			[]string{"f:4:36: warning: expect: 4 nodes are to be together, and the list of the strategy has 2: list all"}},
		{"a list that may lack this node", loopback + "topologies:\n  here: {strategy: static, expect: 3, config: {hosts: ['127.0.0.1:7947', '127.0.0.1:7948']}}\n", nil},
		{"a list that has this node", loopback + "topologies:\n  here: {strategy: static, expect: 3, config: {hosts: ['127.0.0.1:7946', '127.0.0.1:7947']}}\n",
			[]string{"f:4:36: warning: expect: 3 nodes are to be together, and the list of the strategy has 2: list all"}},
		{"a name, which may have any number of addresses", loopback + "topologies:\n  here: {strategy: static, expect: 9, config: {hosts: ['peers.example.com:7946']}}\n", nil},
		{"peers that cannot call back", loopback + "topologies:\n  here: {strategy: static, expect: 2, config: {hosts: ['10.0.0.2:7946']}}\n",
			[]string{"f:2:25: warning: node.listen: only this host can reach 127.0.0.1:7946, and topology here has a peer at 10.0.0.2:7946"}},

		{"a token in plain text", loopback + here + "http: {listen: '10.0.0.7:7947', token_file: " + token + "}\n", []string{"f:5:16: warning: http.listen: requests from other hosts to 10.0.0.7:7947 carry the token in plain text, and whoever reads it can read"}},
		{"a token in plain text that may change things", loopback + here + "http: {listen: ':7947', write: true, token_file: " + token + "}\n", []string{"f:5:16: warning: http.listen: requests from other hosts to :7947 carry the token in plain text, and whoever reads it can change things"}},
		{"a token on loopback, and probes for all", loopback + here + "http: {listen: '127.0.0.1:7947', token_file: " + token + "}\n", nil},

		{"voters without a disk", loopback + here + "quorum: {voters: 3}\n", []string{"f:5:9: warning: quorum: without node.data_dir"}},
		{"a founding that comes too early", disk + "topologies:\n  here: {strategy: local, expect: 5}\nquorum: {birth: {expect: 2}}\n",
			[]string{"f:5:26: warning: quorum.birth.expect: 2 of 5 nodes found the quorum: if they are cut in two before, each side founds one; give more than half, 3 or more"}},
		{"a founding that never comes", disk + here + "quorum: {birth: {expect: 4}}\n", []string{"f:5:26: warning: quorum.birth.expect: 4 members found the quorum, and no topology expects more than 3 nodes"}},
		{"more founders than nodes", disk + here + "quorum: {birth: {names: [a, b, c, d]}}\n", []string{"f:5:25: warning: quorum.birth.names: 4 members found the quorum"}},
		{"more voters than nodes", disk + here + "quorum: {voters: 5}\n", []string{"f:5:18: warning: quorum.voters: 5 are wanted, and no topology expects more than 3 nodes"}},
		{"a founder that is not a peer", disk + "topologies:\n  here: {strategy: static, expect: 3, config: {hosts: ['a:1', 'b.example.com:1', 'c:1']}}\nquorum: {birth: {names: [a, b, d]}}\n",
			[]string{`f:5:32: warning: quorum.birth.names[2]: "d" is the host of no peer`}},
		{"founders whose names are not those of hosts", disk + "topologies:\n  here: {strategy: static, expect: 3, config: {hosts: ['x:1', 'y:1', 'z:1']}}\nquorum: {birth: {names: [a, b, c]}}\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := cluster.Parse("f", []byte(c.text), optionsOfGossip(t))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			if w := config.Warnings(); w != nil {
				got = strings.Split(w.Error(), "\n")
			}
			if len(got) != len(c.want) {
				t.Fatalf("Warnings() = %q, want %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("Warnings()[%d] =\n%s\nwant\n%s", i, got[i], want)
				}
			}
		})
	}
}

func TestAWarningIsLoggedOnceAndNotWithEachReload(t *testing.T) {
	const text = "cluster: lab\nnode: {name: a}\ntopologies:\n  here: {strategy: static, connector: mine, config: {hosts: ['127.0.0.1:9']}}\n"
	parse := func(text string) *cluster.Config {
		c, err := cluster.Parse("f", []byte(text), optionsOfGossip(t))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var log bytes.Buffer
	s, err := cluster.New(parse(text), cluster.WithLogger(hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Warn})),
		cluster.WithConnector("mine", connectortest.NewMesh()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for status := range s.Watch(ctx) {
		if len(status.Connectors) > 0 && status.Connectors[0].Listed {
			break
		}
	}
	for _, next := range []string{text, strings.Replace(text, "mine,", "mine, prune: {after: 40s},", 1), strings.Replace(text, "mine,", "mine, expect: 0,", 1), text} {
		if err := s.Apply(parse(next)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-done
	if n := strings.Count(log.String(), "warning: expect"); n != 2 {
		t.Errorf("%d warnings of expect, want that of the start and that of the last file, before which there was none:\n%s", n, &log)
	}
}
