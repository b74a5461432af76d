package cluster

import (
	"fmt"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Setting is one effective value of a configuration.
type Setting struct {
	Key    string `json:"key"`    // "topologies.lab.config.hosts[0]"
	Value  string `json:"value"`  // as text; secrets are hidden
	Origin string `json:"origin"` // "default", "file:line:col" or "file:line:col from ${NAME}"
}

// Explain lists every setting in force and where it came from, in the order of the file.
func (c *Config) Explain() []Setting {
	all := strictyaml.Explain("", document{Cluster: c.Node.Cluster, Node: c.Node}, c.root, c.file)
	for _, t := range c.Topologies {
		key := fmt.Sprintf("topologies.%s", t.Name)
		all = append(all, strictyaml.Explain(key, t, t.node, c.file)...)
		if t.Config != nil {
			all = append(all, strictyaml.Explain(key+".config", t.Config.Config, t.Config.Node(), c.file)...)
		}
	}
	all = append(all, c.explainSections()...)
	settings := make([]Setting, len(all))
	for i, s := range all {
		settings[i] = Setting(s)
	}
	return settings
}

// explainSections lists the settings of the sections that a program honours.
func (c *Config) explainSections() (all []strictyaml.Setting) {
	add := func(key string, v any, n *yaml.Node) { all = append(all, strictyaml.Explain(key, v, n, c.file)...) }
	if c.Quorum != nil {
		add(SectionQuorum, *c.Quorum, strictyaml.Child(c.root, SectionQuorum))
	}
	for _, g := range c.Groups {
		add(SectionGroups+"."+g.Name, g, strictyaml.Child(strictyaml.Child(c.root, SectionGroups), g.Name))
	}
	if c.HTTP != nil {
		add(SectionHTTP, *c.HTTP, strictyaml.Child(c.root, SectionHTTP))
	}
	return all
}
