package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/hostsfile"
	"github.com/goconvoke/convoke/strategy/static"
)

func loadOptions(t testing.TB) cluster.LoadOptions {
	t.Helper()
	r, err := strategy.NewRegistry(static.Kind, hostsfile.Kind)
	if err != nil {
		t.Fatal(err)
	}
	connectors, err := connector.NewRegistry(connector.Own("mesh"))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOST": "10.0.0.1", "STAGE": "test", "SECRET": "not-a-key"}
	return cluster.LoadOptions{
		Strategies: r,
		Connectors: connectors,
		LookupEnv:  func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
}

// TestEveryMistakeIsReportedAtItsPlace loads the bad files of testdata. The comments after
// "# want" are the beginnings of the messages expected, all of them, without the file's name.
func TestEveryMistakeIsReportedAtItsPlace(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, wanted, _ := strings.Cut(string(text), "# want\n")
			_, err = cluster.Parse("f", text, loadOptions(t))
			if err == nil {
				t.Fatal("no mistake found")
			}
			got := strings.Split(err.Error(), "\n")
			for i, line := range strings.Split(strings.TrimSpace(wanted), "\n") {
				want := "f:" + strings.TrimPrefix(line, "# ")
				want = strings.Replace(want, "f:: ", "f: ", 1)
				if i >= len(got) || !strings.HasPrefix(got[i], want) {
					t.Fatalf("message %d: want %q, got all:\n%s", i+1, want, strings.Join(got, "\n"))
				}
			}
			if n := len(strings.Split(strings.TrimSpace(wanted), "\n")); n != len(got) {
				t.Errorf("%d messages, want %d:\n%s", len(got), n, strings.Join(got, "\n"))
			}
		})
	}
}

func TestVariablesAliasesAndMergeKeysAreUnderstood(t *testing.T) {
	c, err := cluster.Load("testdata/aliases.good.yaml", loadOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	if c.Node.Cluster != "shop-test" || len(c.Topologies) != 2 {
		t.Fatalf("cluster %q with %d topologies", c.Node.Cluster, len(c.Topologies))
	}
	one, two := c.Topologies[0], c.Topologies[1]
	hosts := one.Config.Config.(static.Config)
	if d := cmp.Diff([]string{"10.0.0.1:7946"}, hosts.Hosts); d != "" {
		t.Error(d)
	}
	if timeout := two.Config.Config.(static.Config).Timeout; timeout != 3*time.Second || two.Expect != 5 || one.Expect != 3 {
		t.Errorf("timeout %v, expect %d and %d", timeout, one.Expect, two.Expect)
	}
}

func TestAnUnreadableFileIsNamed(t *testing.T) {
	_, err := cluster.Load("testdata/none.yaml", loadOptions(t))
	if err == nil || !strings.Contains(err.Error(), "read the configuration: open testdata/none.yaml: no such file") {
		t.Errorf("Load = %v", err)
	}
	if _, err = cluster.Load("testdata", loadOptions(t)); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("Load of a directory = %v", err)
	}
}

const secretKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

func TestSecretsAreNeverPrinted(t *testing.T) {
	text := "cluster: x\nnode: {name: n, keys: [" + secretKey + "]}\ntopologies: {a: {strategy: static, config: {hosts: [a:1]}}}\n"
	options := loadOptions(t)
	options.Connectors = nil
	c, err := cluster.Parse("f", []byte(text), options)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %v", c.Node, c.Node, c.Node.Keys, c.Explain())
	if strings.Contains(shown, secretKey) || strings.Contains(shown, "0123456789") || strings.Contains(shown, "48 49 50") || !strings.Contains(shown, "(hidden)") {
		t.Errorf("a key is shown in %s", shown)
	}
	for _, bad := range []string{"node: {keys: [${SECRET}]}", "node: {keys: [" + secretKey[:20] + "]}", "node: {keys: {a: " + secretKey + "}}"} {
		_, err := cluster.Parse("f", []byte("cluster: x\n"+bad+"\ntopologies: {}\n"), loadOptions(t))
		if err == nil || strings.Contains(err.Error(), "not-a-key") || strings.Contains(err.Error(), secretKey[:12]) {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}

func TestExplainReturnsWhereEachValueCameFrom(t *testing.T) {
	text := "cluster: ${STAGE}\nnode: {name: n1}\ntopologies:\n  a:\n    strategy: static\n    config: {hosts: [\"${HOST}:1\"]}\n"
	c, err := cluster.Parse("f", []byte(text), loadOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]cluster.Setting)
	for _, s := range c.Explain() {
		got[s.Key] = s
	}
	for _, want := range []cluster.Setting{
		{Key: "cluster", Value: "test", Origin: "f:1:10 from ${STAGE}"},
		{Key: "node.name", Value: "n1", Origin: "f:2:14"},
		{Key: "node.listen", Value: "0.0.0.0:7946", Origin: "default"},
		{Key: "topologies.a.prune.after", Value: "30s", Origin: "default"},
		{Key: "topologies.a.config.hosts[0]", Value: "10.0.0.1:1", Origin: "f:6:22 from ${HOST}"},
		{Key: "topologies.a.config.interval", Value: "30s", Origin: "default"},
	} {
		if d := cmp.Diff(want, got[want.Key]); d != "" {
			t.Errorf("%s (-want +got):\n%s", want.Key, d)
		}
	}
}

func TestTheFileIsReloadedWhenItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "topology.yaml")
	write := func(hosts string) {
		text := "cluster: x\nnode: {name: n, listen: 127.0.0.1:1}\ntopologies: {a: {strategy: static, config: {hosts: [" + hosts + "]}}}\n"
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write("10.0.0.1:1")
	c, err := cluster.Load(path, loadOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	mesh := connectortest.NewMesh()
	s, err := cluster.New(c, cluster.WithConnector("mesh", mesh), cluster.WithReload())
	if err != nil {
		t.Fatal(err)
	}
	events := s.Events(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(t.Context()) }()
	t.Cleanup(func() { <-stopped })
	var seen []string
	for e := range events {
		seen = append(seen, string(e.Kind))
		switch {
		case e.Kind == cluster.EventPeerConnected && e.Peer.Addr == "10.0.0.1:1":
			write("10.0.0.2:70000")
		case e.Kind == cluster.EventReloadFailed:
			if !strings.Contains(e.Err.Error(), "topology.yaml:3:") {
				t.Errorf("reload failed with %v, want a place", e.Err)
			}
			write("10.0.0.1:1, 10.0.0.2:1")
		case e.Kind == cluster.EventPeerConnected && e.Peer.Addr == "10.0.0.2:1":
			if n := mesh.Count("disconnect"); n != 0 {
				t.Errorf("%d disconnects by the reload", n)
			}
			return
		}
	}
	t.Errorf("events ended early: %v", seen)
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("cluster: x\ntopologies: &t {a: {<<: *t}}\n"))
	names := loadOptions(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := cluster.Parse("f", text, names)
		if (c == nil) == (err == nil) {
			t.Fatalf("Parse = %v, %v", c, err)
		}
		if c != nil {
			c.Explain()
		}
	})
}
