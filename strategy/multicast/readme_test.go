package multicast

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestTheReadmeListsEverySettingAndReason(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		if key := fields.Field(i).Tag.Get("yaml"); !strings.Contains(string(text), "\n| `"+key+"` |") {
			t.Errorf("no row about the setting %s", key)
		}
	}
	for v := own; v < dropReasons; v++ {
		if !strings.Contains(string(text), "`"+v.String()+"`") {
			t.Errorf("no word about the reason %s", v)
		}
	}
}

func TestTheExamplesOfTheReadmeLoad(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("no examples")
	}
	for _, b := range blocks {
		var topology struct {
			Strategy string
			Config   yaml.Node
		}
		if err := yaml.Unmarshal([]byte(b[1]), &topology); err != nil {
			t.Fatal(err)
		}
		config, _ := yaml.Marshal(&topology.Config)
		if topology.Config.IsZero() {
			config = nil
		}
		if _, err := configure(t, string(config)); err != nil || topology.Strategy != Kind.Name {
			t.Errorf("example %q of strategy %q: %v", b[1], topology.Strategy, err)
		}
	}
}
