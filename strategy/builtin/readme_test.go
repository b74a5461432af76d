package builtin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/builtin"
	"github.com/goconvoke/convoke/strategy/dns"
	"github.com/goconvoke/convoke/strategy/exec"
	"github.com/goconvoke/convoke/strategy/file"
	"github.com/goconvoke/convoke/strategy/hostsfile"
	"github.com/goconvoke/convoke/strategy/http"
	"github.com/goconvoke/convoke/strategy/kubernetes"
	"github.com/goconvoke/convoke/strategy/local"
	"github.com/goconvoke/convoke/strategy/multicast"
	"github.com/goconvoke/convoke/strategy/rancher"
	"github.com/goconvoke/convoke/strategy/static"
)

// defaults holds the default configuration of every strategy.
var defaults = map[string]any{
	"dns":            dns.Kind.Default,
	"kubernetes_dns": dns.KubernetesKind.Default,
	"rancher":        rancher.Kind.Default,
	"file":           file.Kind.Default,
	"exec":           exec.Kind.Default,
	"hostsfile":      hostsfile.Kind.Default,
	"http":           http.Kind.Default,
	"kubernetes":     kubernetes.Kind.Default,
	"local":          local.Kind.Default,
	"multicast":      multicast.Kind.Default,
	"static":         static.Kind.Default,
}

// documented are the strategies whose README is checked.
var documented = []string{"dns", "exec", "file", "hostsfile", "http", "kubernetes", "kubernetes_dns", "local", "multicast", "rancher", "static"}

func TestRegistryNamesAndDocumentsEveryStrategy(t *testing.T) {
	r := builtin.Registry()
	for _, name := range r.Names() {
		if _, ok := defaults[name]; !ok {
			t.Errorf("strategy %s is not known to this test", name)
		}
		if r.Doc(name) == "" {
			t.Errorf("strategy %s has no line of documentation", name)
		}
	}
	if len(r.Names()) != len(defaults) {
		t.Errorf("the registry has %v, want %d strategies", r.Names(), len(defaults))
	}
}

// setting is a row of the table of settings: | `key` | default | meaning |.
var setting = regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\| ([^|]*) \\| ([^|]+) \\|$")

func TestReadmeListsEverySettingWithItsDefault(t *testing.T) {
	for _, name := range documented {
		t.Run(name, func(t *testing.T) {
			want := settings(reflect.ValueOf(defaults[name]))
			for _, row := range setting.FindAllStringSubmatch(section(t, name, "Settings"), -1) {
				key, listed := row[1], row[2]
				value, known := want[key]
				switch {
				case !known:
					t.Errorf("README lists %q, which is not a setting", key)
				case !gives(listed, value):
					t.Errorf("README gives %q the default %s, it is %s", key, listed, value)
				}
				delete(want, key)
			}
			for key := range want {
				t.Errorf("README does not list %q", key)
			}
		})
	}
}

// gives reports whether a cell gives the default value: as code, or in words where the value is
// zero and means little (required, none, all of them).
func gives(cell, value string) bool {
	code, isCode := strings.CutPrefix(cell, "`")
	if !isCode {
		return slices.Contains([]string{`""`, "0", "0s", "[]", "map[]", "(hidden)"}, value)
	}
	code = strings.TrimSuffix(code, "`")
	return code == value || code != "" && code == strings.Trim(value, `"`)
}

// settings returns the keys of a configuration with their values as YAML has them.
func settings(v reflect.Value) map[string]string {
	all := make(map[string]string)
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("yaml")
		key, option, _ := strings.Cut(tag, ",")
		switch {
		case key == "-":
		case option == "inline":
			for k, text := range settings(v.Field(i)) {
				all[k] = text
			}
		default:
			all[key] = text(v.Field(i))
		}
	}
	return all
}

func text(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		return short(value)
	case string:
		return fmt.Sprintf("%q", value)
	}
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return "[]"
	}
	return fmt.Sprint(v.Interface())
}

// short drops the zeros of a duration: 1m0s is 1m.
func short(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = strings.TrimSuffix(s, zero[1:])
		}
	}
	return s
}

func TestReadmeHasItsSectionsInOrder(t *testing.T) {
	heading := regexp.MustCompile(`(?m)^## (.+)$`)
	want := []string{"How it works", "Prerequisites", "Settings", "Failures", "Troubleshooting"}
	for _, name := range documented {
		var got []string
		for _, m := range heading.FindAllStringSubmatch(readme(t, name), -1) {
			if slices.Contains(want, m[1]) { // others may stand between them
				got = append(got, m[1])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has the sections %q, want %q", name, got, want)
		}
	}
}

var block = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// topology is a topology as far as its strategy goes.
type topology struct {
	Strategy string    `yaml:"strategy"`
	Config   yaml.Node `yaml:"config"`
}

func TestEveryYAMLBlockOfAReadmeLoads(t *testing.T) {
	for _, name := range documented {
		t.Run(name, func(t *testing.T) {
			blocks := block.FindAllStringSubmatch(readme(t, name), -1)
			if len(blocks) == 0 {
				t.Error("no YAML block")
			}
			for _, b := range blocks {
				found, err := topologies(b[1])
				if err != nil || len(found) == 0 {
					t.Errorf("no topology in %q: %v", b[1], err)
				}
				for _, tp := range found {
					if tp.Strategy != name {
						t.Errorf("strategy %q in %q", tp.Strategy, b[1])
					}
					if err := load(tp); err != nil {
						t.Errorf("%v in:\n%s", err, b[1])
					}
				}
			}
		})
	}
}

// topologies returns those of a file, or the one that the text consists of.
func topologies(text string) ([]topology, error) {
	var file struct {
		Topologies map[string]topology `yaml:"topologies"`
		topology   `yaml:",inline"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return nil, err
	}
	var found []topology
	for _, tp := range file.Topologies {
		found = append(found, tp)
	}
	if file.topology.Strategy != "" {
		found = append(found, file.topology)
	}
	return found, nil
}

func load(tp topology) error {
	var config *yaml.Node
	if !tp.Config.IsZero() {
		config = &tp.Config
	}
	c, err := builtin.Registry().Configure(tp.Strategy, config, strategy.Source{File: "README.md"})
	if err != nil {
		return err
	}
	_, err = c.New(strategy.Env{ClusterID: "orders"})
	return err
}

func readme(t *testing.T, name string) string {
	t.Helper()
	page := filepath.Join("..", name, "README.md")
	if name == "kubernetes_dns" { // the second kind of its package
		page = filepath.Join("..", "dns", "kubernetes_dns.md")
	}
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// section returns the text under a heading.
func section(t *testing.T, name, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(readme(t, name), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("README of %s has no section %q", name, heading)
	}
	text, _, _ := strings.Cut(after, "\n## ")
	return text
}
