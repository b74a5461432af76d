package manifest

import (
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"

	"gopkg.in/yaml.v3"
)

// maxConfig bounds how much of a file is read, in bytes.
const maxConfig = 4 << 20

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("%s has more than %d bytes", path, maxConfig)
	}
	return text, err
}

// downward are the environment variables that the downward API fills, with their fields.
var downward = map[string]string{
	"POD_NAME":      "metadata.name",
	"POD_NAMESPACE": "metadata.namespace",
	"POD_IP":        "status.podIP",
	"NODE_NAME":     "spec.nodeName",
}

// lookupEnv lends the file the environment that its pods will have, as far as it is known here.
func (n *needs) lookupEnv(name string) (string, bool) {
	if i, found := slices.BinarySearch(n.asked, name); !found {
		n.asked = slices.Insert(n.asked, i, name)
	}
	switch {
	case name == "POD_NAMESPACE":
		return n.namespace, true
	case name == "POD_IP":
		return "192.0.2.1", true // stands for an address; it is printed nowhere
	case downward[name] != "" || name == "HOSTNAME" || n.versions[name] != "":
		return "unknown", true
	}
	return os.LookupEnv(name)
}

// takeEnv takes the environment variables that the file names, and those that strategies look at by default.
func (n *needs) takeEnv() {
	env := map[string]string{"POD_NAME": downward["POD_NAME"], "POD_NAMESPACE": downward["POD_NAMESPACE"], "POD_IP": downward["POD_IP"]}
	for _, name := range n.asked {
		if field := downward[name]; field != "" {
			env[name] = field
		}
	}
	for name, label := range n.versions {
		env[name] = fmt.Sprintf("metadata.labels['%s']", label)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		n.Env = append(n.Env, Env{name, env[name]})
	}
	for _, name := range n.asked {
		if env[name] == "" && name != "HOSTNAME" {
			n.SecretEnv = append(n.SecretEnv, SecretEnv{name})
		}
	}
}

// wholeVariable is a value that consists of one environment variable.
var wholeVariable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// versionsOf returns the environment variables in which a file expects the version of the pod, with the label that
// has it; what is wrong with the file is reported when it is parsed.
func versionsOf(text []byte) map[string]string {
	var loose struct {
		Topologies map[string]struct{ Config yaml.Node }
	}
	if yaml.Unmarshal(text, &loose) != nil {
		return nil
	}
	found := make(map[string]string)
	for _, t := range loose.Topologies {
		var c struct {
			Own   string `yaml:"own_version"`
			Label string `yaml:"version_label"`
		}
		if t.Config.Kind != yaml.MappingNode || t.Config.Decode(&c) != nil {
			continue
		}
		if m := wholeVariable.FindStringSubmatch(c.Own); m != nil && c.Label != "" {
			found[m[1]] = c.Label
		}
	}
	return found
}

// hasKeys reports whether a file has pre-shared keys in it, instead of the names of environment variables.
func hasKeys(text string) bool {
	var loose struct {
		Node struct{ Keys []string }
	}
	if yaml.Unmarshal([]byte(text), &loose) != nil {
		return false
	}
	return slices.ContainsFunc(loose.Node.Keys, func(key string) bool { return !wholeVariable.MatchString(key) })
}
