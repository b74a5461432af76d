package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/strategy/builtin"
)

const exampleFile = "../../topology.yaml.example"

func loadExample(t *testing.T) *cluster.Config {
	t.Helper()
	c, err := cluster.Load(exampleFile, inspectOptions(exampleFile))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheExampleFileUsesEveryStrategy(t *testing.T) {
	var used []string
	for _, top := range loadExample(t).Topologies {
		used = append(used, top.Strategy)
	}
	for _, name := range builtin.Registry().Names() {
		if !slices.Contains(used, name) {
			t.Errorf("topology.yaml.example has no topology with strategy: %s", name)
		}
	}
}

// The keys that all topologies share are shown once, in the first.
func TestTheExampleFileShowsEveryKey(t *testing.T) {
	c := loadExample(t)
	first := "topologies." + c.Topologies[0].Name + "."
	for _, s := range c.Explain() {
		shared := strings.HasPrefix(s.Key, "topologies.") && !strings.HasPrefix(s.Key, first) && !strings.Contains(s.Key, ".config.")
		if !shared && s.Origin == "default" {
			t.Errorf("topology.yaml.example lacks the key %s (default %q)", s.Key, s.Value)
		}
	}
}

// The comment at the top promises it: a value without a word about it is the default.
func TestTheExampleFileShowsDefaults(t *testing.T) {
	c := loadExample(t)
	bare := make(map[string]string) // the defaults of the shared keys, from a topology that sets none
	last := "topologies." + c.Topologies[len(c.Topologies)-1].Name + "."
	for _, s := range c.Explain() {
		if key, found := strings.CutPrefix(s.Key, last); found && s.Origin == "default" {
			bare[key] = s.Value
		}
	}
	first := "topologies." + c.Topologies[0].Name + "."
	for _, s := range c.Explain() {
		key, found := strings.CutPrefix(s.Key, first)
		if want, known := bare[key]; found && known && s.Value != want {
			t.Errorf("topology.yaml.example shows %s: %s, the default is %s", s.Key, s.Value, want)
		}
	}
	if len(bare) == 0 {
		t.Error("nothing was compared")
	}
}
