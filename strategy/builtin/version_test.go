package builtin_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/builtin"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func configureText(t *testing.T, name, text string) (*strategy.Configured, error) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return builtin.Registry().Configure(name, doc.Content[0], strategy.Source{File: "t.yaml"})
}

func TestVersionSameNeedsTheLabelAndTheOwnVersion(t *testing.T) {
	for name, required := range map[string]string{
		"http": "url: http://a", "file": "paths: [a.json]", "exec": "command: [a]", "rancher": "port: 1", "kubernetes": "service: a",
	} {
		for _, c := range []struct{ config, want string }{
			{"version_label: v\nversion: same", "t.yaml:1:1: own_version: version: same needs this node's own"},
			{"own_version: green\nversion: same", "t.yaml:1:1: version_label: version: same needs the label"},
			{"version: blue", `t.yaml:2:10: version: "blue" is unknown; want any, same`},
			{"version_label: v\nown_version: green\nversion: same", ""},
		} {
			_, err := configureText(t, name, required+"\n"+c.config)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s with %q: error = %v, want %q", name, c.config, err, c.want)
			}
		}
	}
}

func TestAFileFindsPeersOfTheOwnVersionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "peers.json")
		text := `[{"targets": ["10.0.0.1:7946"], "labels": {"release": "blue", "rack": "eu-1a"}},
			{"targets": ["10.0.0.2:7946"], "labels": {"release": "green", "rack": "eu-1b"}}]`
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := configureText(t, "file", "paths: ["+path+"]\nversion_label: release\nzone_label: rack\nown_version: green\nversion: same")
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.New(strategy.Env{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		out := new(strategytest.Sink)
		_ = s.Run(ctx, out) // until its time is over
		calls := out.Calls()
		if len(calls) == 0 || calls[0].String() != "Set(10.0.0.2:7946)" || calls[0].Peers[0].Zone != "eu-1b" {
			t.Errorf("calls %v, want a Set of the peer of the own version, with its zone", calls)
		}
	})
}
