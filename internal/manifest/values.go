package manifest

import (
	"bytes"
	"fmt"

	"gopkg.in/yaml.v3"
)

// Values are what distinguishes the objects of one file from those of another. They are the values of the Helm chart too: `convoke manifest
// --only values` prints them. The comments and the bounds of the keys are in [settings].
type Values struct {
	Name           string      `yaml:"name"`
	Image          string      `yaml:"image"`
	Kind           string      `yaml:"kind"`
	Replicas       int         `yaml:"replicas"`
	Account        string      `yaml:"account"`
	Port           int         `yaml:"port"`
	PortName       string      `yaml:"portName"`
	UDP            bool        `yaml:"udp"`
	HTTP           int         `yaml:"http"`
	Access         []Access    `yaml:"access"`
	Services       []Service   `yaml:"services"`
	ServiceName    string      `yaml:"serviceName"`
	Env            []Env       `yaml:"env"`
	SecretEnv      []SecretEnv `yaml:"secretEnv"`
	DataDir        string      `yaml:"dataDir"`
	Storage        string      `yaml:"storage"`
	SecretDirs     []SecretDir `yaml:"secretDirs"`
	PeersAnywhere  bool        `yaml:"peersAnywhere"`
	PeerNamespaces []Namespace `yaml:"peerNamespaces"`
	CPU            string      `yaml:"cpu"`
	Memory         string      `yaml:"memory"`
	MemoryLimit    string      `yaml:"memoryLimit"`
	SecretTopology bool        `yaml:"secretTopology"`
	Topology       string      `yaml:"topology"`

	namespace string // of the pods: the chart has that of the release
}

// Access is a Role and its RoleBinding.
type Access struct {
	Name      string   `yaml:"name"`
	Namespace string   `yaml:"namespace"` // "" is that of the pods
	Group     string   `yaml:"group"`     // "" is the core
	Resource  string   `yaml:"resource"`
	Verbs     []string `yaml:"verbs"`
}

// Service is a headless Service.
type Service struct {
	Name    string  `yaml:"name"`
	Labels  []Label `yaml:"labels"`  // for topologies that select by them
	Unready bool    `yaml:"unready"` // its DNS names list pods that are not ready too
}

// Label is a label of a Service.
type Label struct {
	Key   string `yaml:"key"`
	Value string `yaml:"value"`
}

// Env is an environment variable that the downward API fills.
type Env struct {
	Name  string `yaml:"name"`
	Field string `yaml:"field"`
}

// SecretEnv is an environment variable that a Secret fills: it is a key of the Secret NAME-env.
type SecretEnv struct {
	Name string `yaml:"name"`
}

// SecretDir is a directory that a Secret fills, as for certificates.
type SecretDir struct {
	Dir    string `yaml:"dir"`
	Secret string `yaml:"secret"`
}

// Namespace is one that peers may be in besides that of the pods.
type Namespace struct {
	Name string `yaml:"name"`
}

// YAML returns the values as a file with a comment above each.
func (v *Values) YAML() (string, error) {
	var doc yaml.Node
	if err := doc.Encode(v); err != nil {
		return "", err
	}
	for i := 0; i < len(doc.Content); i += 2 {
		s, ok := settings[doc.Content[i].Value]
		if !ok {
			return "", fmt.Errorf("key %s has no comment", doc.Content[i].Value)
		}
		doc.Content[i].HeadComment = s.comment
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return "", err
	}
	return b.String(), e.Close()
}

// tree returns the values as plain maps and lists.
func (v *Values) tree() (map[string]any, error) {
	data, err := yaml.Marshal(v)
	if err != nil {
		return nil, err
	}
	tree := make(map[string]any)
	return tree, yaml.Unmarshal(data, &tree)
}
