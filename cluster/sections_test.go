package cluster_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
)

// sectionsFile is a file for a program that honours all sections; more is put below its topology.
func sectionsFile(t *testing.T, more string) (*cluster.Config, error) {
	t.Helper()
	options := loadOptions(t)
	able := connector.Kind{Name: "able", Check: func(connector.NodeConfig) error { return nil }}
	connectors, err := connector.NewRegistry(able, connector.Own("mesh"))
	if err != nil {
		t.Fatal(err)
	}
	options.Connectors = connectors
	text := "cluster: x\nnode: {name: n}\ntopologies: {a: {strategy: static, config: {hosts: [a:1]}, expect: 5}, b: {strategy: static, config: {hosts: [a:1]}, expect: 3}}\n"
	return cluster.Parse("f", []byte(text+more), options)
}

// able is a connector that was made for a node.
type able struct {
	*connectortest.Mesh
	node connector.NodeConfig
}

func (a able) NodeConfig() connector.NodeConfig { return a.node }

func TestQuorumGroupsAndHTTPAreDecodedOverTheirDefaults(t *testing.T) {
	c, err := sectionsFile(t, "quorum: {lease: 3s}\ngroups:\n  orders: {shards: 256, level: fenced, copies: 2, weight: 3, handover: 10s, hash: java, return: 1m, moves: 4}\n  cache: {shards: 8, level: prefer}\nhttp: {names: [orders.example]}\n")
	if err != nil {
		t.Fatal(err)
	}
	quorum := cluster.DefaultQuorum()
	quorum.Lease, quorum.Birth.Expect = 3*time.Second, 5
	cache := cluster.DefaultGroup()
	cache.Name, cache.Shards, cache.Level = "cache", 8, cluster.LevelPrefer
	groups := []cluster.Group{
		{Name: "orders", Shards: 256, Level: cluster.LevelFenced, Copies: 2, Weight: 3, Handover: 10 * time.Second, Hash: cluster.HashJava, Return: time.Minute, Moves: 4},
		cache,
	}
	if d := cmp.Diff(&quorum, c.Quorum); d != "" {
		t.Errorf("quorum (-want +got)\n%s", d)
	}
	if d := cmp.Diff(groups, c.Groups); d != "" {
		t.Errorf("groups (-want +got)\n%s", d)
	}
	if d := cmp.Diff(&cluster.HTTP{Listen: "127.0.0.1:7947", Names: []string{"orders.example"}}, c.HTTP); d != "" {
		t.Errorf("http (-want +got)\n%s", d)
	}
	if g, ok := c.Group("cache"); !ok || g != cache {
		t.Errorf("Group = %v, %v", g, ok)
	}
	if _, ok := c.Group("none"); ok {
		t.Error("there is a group that the file does not have")
	}
	shown := make(map[string]string)
	for _, s := range c.Explain() {
		shown[s.Key] = s.Value + " " + s.Origin
	}
	for key, want := range map[string]string{"quorum.lease": "3s f:4:17", "quorum.voters": "3 default", "quorum.birth.expect": "5 default",
		"groups.orders.hash": "java f:6:83", "groups.cache.handover": "30s default", "http.listen": "127.0.0.1:7947 default"} {
		if shown[key] != want {
			t.Errorf("explain: %s = %q, want %q", key, shown[key], want)
		}
	}
}

func TestNoBirthOfItsOwnIsNeededWhereNamesAreGiven(t *testing.T) {
	c, err := sectionsFile(t, "quorum: {birth: {names: [n, m, o]}}\n")
	if err != nil || c.Quorum.Birth.Expect != 0 || len(c.Quorum.Birth.Names) != 3 {
		t.Errorf("Parse = %+v, %v, want a birth by names alone", c, err)
	}
}

func TestABirthByALeaseNeedsNoOtherSetting(t *testing.T) {
	for text, want := range map[string]cluster.KubernetesBirth{
		"{}": {},
		"{namespace: shop, lease: orders-birth, api: 'https://10.0.0.1:6443', service_account: /tmp/account}": {
			Namespace: "shop", Lease: "orders-birth", API: "https://10.0.0.1:6443", ServiceAccount: "/tmp/account"},
	} {
		c, err := sectionsFile(t, "quorum: {birth: {kubernetes: "+text+"}}\n")
		if err != nil || c.Quorum.Birth.Expect != 0 || c.Quorum.Birth.Kubernetes == nil || *c.Quorum.Birth.Kubernetes != want {
			t.Fatalf("Parse = %+v, %v, want a birth by a Lease alone", c, err)
		}
		if w := c.Warnings(); w == nil || !strings.Contains(w.Error(), "after its Lease was deleted") {
			t.Errorf("Warnings without a data directory = %v", w)
		}
	}
}

func TestASectionThatNoPartOfTheProgramHonoursIsRefused(t *testing.T) {
	const file = "quorum: {}\ngroups: {orders: {shards: 2}}\nhttp: {}\n"
	c, err := sectionsFile(t, file)
	if err != nil {
		t.Fatal(err)
	}
	made := able{connectortest.NewMesh(), c.Node}
	_, err = cluster.New(c, cluster.WithConnector("able", made), cluster.WithHonoured(cluster.SectionGroups))
	for _, want := range []string{"f:4:9: quorum: this program does not honour the section", "f:6:7: http: this program does not honour the section"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") != 1 {
			t.Errorf("New = %v, want %q", err, want)
		}
	}
	all := cluster.WithHonoured(cluster.SectionQuorum, cluster.SectionGroups, cluster.SectionHTTP)
	if _, err := cluster.New(c, cluster.WithConnector("able", made), all); err != nil {
		t.Errorf("New with all sections honoured = %v", err)
	}
	if _, err := cluster.New(c, cluster.WithConnector("able", made), cluster.WithHonoured("quorums")); err == nil || !strings.Contains(err.Error(), `section "quorums"`) {
		t.Errorf("New with a section that no file has = %v", err)
	}
	made.node.Quorum = false
	if _, err := cluster.New(c, cluster.WithConnector("able", made), all); err == nil || !strings.Contains(err.Error(), "f:4:9: quorum: the connector able does not honour this setting") {
		t.Errorf("New with a connector that was made for a node without a quorum = %v", err)
	}
	if _, err := cluster.New(c, cluster.WithConnector("able", connectortest.NewMesh()), all); err == nil || !strings.Contains(err.Error(), "f:4:9: quorum: the connector able does not honour this setting") {
		t.Errorf("New with a connector of callbacks = %v", err)
	}
}

func TestSectionsThatAProgramFilledInAreChecked(t *testing.T) {
	c := &cluster.Config{Node: connector.NodeConfig{Cluster: "x", Name: "n", Listen: "127.0.0.1:1", Quorum: true},
		Quorum: &cluster.Quorum{Voters: 2}, Groups: []cluster.Group{{}}, HTTP: &cluster.HTTP{}}
	_, err := cluster.New(c, cluster.WithConnector("able", able{connectortest.NewMesh(), c.Node}),
		cluster.WithHonoured(cluster.SectionQuorum, cluster.SectionGroups, cluster.SectionHTTP))
	for _, want := range []string{"voters: 2: want", "lease: 0s: want", "replace_after: 0s", "moves: 0", "birth: required", `group "": a name has`, "shards: required", `level: "" is unknown`,
		`listen: ""`, "Node.Groups is false and groups are given: true"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %q", err, want)
		}
	}
}

func TestAChangedSectionIsLoggedAndWaitsForTheNextStart(t *testing.T) {
	all := cluster.WithHonoured(cluster.SectionQuorum, cluster.SectionGroups, cluster.SectionHTTP)
	first, err := sectionsFile(t, "quorum: {}\ngroups: {orders: {shards: 2}}\nhttp: {}\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"quorum: {eligible: [n]}\ngroups: {orders: {shards: 2}}\nhttp: {}\n", "quorum: {}\ngroups: {orders: {shards: 3}}\nhttp: {}\n",
		"quorum: {}\ngroups: {orders: {shards: 2}}\nhttp: {names: [a]}\n", "quorum: {}\ngroups: {orders: {shards: 2}}\n", "quorum: {}\ngroups: {orders: {shards: 2}}\nhttp: {}\n"} {
		var log strings.Builder
		s, err := cluster.New(first, cluster.WithConnector("able", able{connectortest.NewMesh(), first.Node}), all,
			cluster.WithLogger(hclog.New(&hclog.LoggerOptions{Output: &log})))
		if err != nil {
			t.Fatal(err)
		}
		second, err := sectionsFile(t, other)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(second); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = s.Run(ended) // writes what was logged
		same := other == "quorum: {}\ngroups: {orders: {shards: 2}}\nhttp: {}\n"
		if got := strings.Contains(log.String(), "take effect at the next start"); got == same {
			t.Errorf("after a change to %q the log has\n%s", other, log.String())
		}
	}
}

func TestAQuorumInMemoryIsAWarning(t *testing.T) {
	c, err := sectionsFile(t, "quorum: {}\n")
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Warnings(); w == nil || !strings.HasPrefix(w.Error(), "f:4:9: warning: quorum: without node.data_dir") {
		t.Errorf("Warnings = %v", w)
	}
	c.Node.DataDir = "data"
	if w := c.Warnings(); w != nil {
		t.Errorf("Warnings with a data directory = %v, want nil", w)
	}
}

func TestTheSectionHTTPIsRefusedWhereItPromisesNoSafety(t *testing.T) {
	dir := t.TempDir()
	token, empty := filepath.Join(dir, "token"), filepath.Join(dir, "empty")
	for file, text := range map[string]string{token: "secret\n", empty: "\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ section, want string }{
		{"{write: true, token_file: " + token + "}", ""},
		{"{write: true, listen: \"unix:/run/x.sock\"}", ""},
		{"{token_file: " + token + "}", ""},
		{"{write: true}", "f:4:15: write: whoever reaches the port could remove members"},
		{"{listen: \"unix:x.sock\"}", `listen: "unix:x.sock": want an absolute path`},
		{"{tls: {cert: a}}", "tls: cert and key belong together"},
		{"{tls: {client_ca: a}}", "tls.client_ca: cert and key are needed too"},
		{"{token_file: " + filepath.Join(dir, "none") + "}", "f:4:20: token_file: open "},
		{"{token_file: " + empty + "}", "token_file: " + empty + ": the file has no token"},
		{"{tls: {cert: " + filepath.Join(dir, "none") + ", key: " + token + "}}", "tls.cert: open "},
	} {
		_, err := sectionsFile(t, "http: "+c.section+"\n")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.section, err, c.want)
		}
	}
}
