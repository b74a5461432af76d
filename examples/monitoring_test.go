package examples_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// composed is what the compose file of monitoring has.
type composed struct {
	Services map[string]struct {
		Build       struct{ Context, Dockerfile string }
		Environment map[string]string
		Hostname    string
		Volumes     []string
	}
}

// decode reads a YAML file below examples/monitoring.
func decode(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("monitoring", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// mounts returns the files of a service by where they are in it.
func mounts(t *testing.T, volumes []string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, v := range volumes {
		parts := strings.Split(v, ":")
		if len(parts) != 3 || parts[2] != "ro" {
			t.Fatalf("the volume %q is not FILE:PATH:ro", v)
		}
		file := filepath.Join("monitoring", parts[0])
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%q is not a file: %v", v, err) // an engine would make a directory
		}
		files[parts[1]] = file
	}
	return files
}

func TestTheAgentsOfTheComposeFileOfMonitoringAreScraped(t *testing.T) {
	t.Parallel()
	var compose composed
	decode(t, "compose.yaml", &compose)
	var prometheus struct {
		Scrape []struct {
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	decode(t, "prometheus.yaml", &prometheus)
	targets := prometheus.Scrape[0].Static[0].Targets
	connectors, err := connector.NewRegistry(gossip.Kind)
	if err != nil {
		t.Fatal(err)
	}
	agents := 0
	for name, service := range compose.Services {
		if name == "prometheus" {
			continue
		}
		agents++
		if dockerfile := filepath.Join("monitoring", service.Build.Context, service.Build.Dockerfile); dockerfile != filepath.Join("..", "examples", "monitoring", "Containerfile") {
			t.Errorf("%s is built from %s", name, dockerfile)
		}
		file := mounts(t, service.Volumes)["/etc/convoke/topology.yaml"]
		c, err := cluster.Load(file, cluster.LoadOptions{Strategies: builtin.Registry(), Connectors: connectors,
			LookupEnv: func(v string) (string, bool) { value, ok := service.Environment[v]; return value, ok }})
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(c.HTTP.Listen)
		if err != nil || c.Node.Name != name || service.Hostname != name || c.Topologies[0].Expect != 3 {
			t.Errorf("%s runs as %+v with %+v: %v", name, c.Node, c.HTTP, err)
		}
		if !slices.Contains(targets, name+":"+port) || !slices.Contains(c.HTTP.Names, name) {
			t.Errorf("%s listens on %s as %v, and Prometheus asks %v", name, c.HTTP.Listen, c.HTTP.Names, targets)
		}
	}
	if agents != 3 || len(targets) != 3 {
		t.Errorf("%d agents and %d targets, want three", agents, len(targets))
	}
}

func TestPromtoolAcceptsWhatTheComposeFileGivesToPrometheus(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("REQUIRE_LABS") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no promtool: install the package prometheus")
	}
	var compose composed
	decode(t, "compose.yaml", &compose)
	const within = "/etc/prometheus/"
	dir := t.TempDir()
	for path, file := range mounts(t, compose.Services["prometheus"].Volumes) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(path, within)
		if !ok {
			t.Fatalf("%s is not in %s", path, within)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), promtool, "check", "config", filepath.Join(dir, "prometheus.yml")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 rule files found") || strings.Contains(string(out), "0 rules found") {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
