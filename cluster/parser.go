package cluster

import (
	"errors"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/internal/strictyaml"
	"github.com/goconvoke/convoke/strategy"
)

// parser turns a document into a Config and collects every mistake on the way.
type parser struct {
	file  string
	names Vocabulary
	errs  []error
}

func (p *parser) errorf(n *yaml.Node, format string, args ...any) {
	p.errs = append(p.errs, strictyaml.Errorf(p.file, n, format, args...))
}

// document decodes the top of the file, then each topology.
func (p *parser) document(root *yaml.Node) *Config {
	d := struct {
		Config     `yaml:",inline"`
		Topologies *yaml.Node `yaml:"topologies"`
	}{Config: Config{Node: DefaultNode()}}
	d.Config.Topologies = nil
	if err := strictyaml.Decode(root, &d, p.file, p.names.LookupEnv, nil); err != nil {
		p.errs = append(p.errs, err)
	}
	topologies := strictyaml.Child(root, "topologies")
	switch {
	case topologies == nil && root.Kind == yaml.MappingNode:
		p.errorf(root, "topologies: required: name at least one, with its strategy")
	case topologies != nil && strictyaml.Missing(topologies):
		p.errorf(topologies, "topologies: name at least one, with its strategy")
	case topologies != nil:
		err := strictyaml.Mapping(topologies, p.file, func(key, value *yaml.Node) {
			d.Config.Topologies = append(d.Config.Topologies, p.topology(key, value))
		})
		p.errs = append(p.errs, err)
	}
	return &d.Config
}

// topology decodes one entry of topologies.
func (p *parser) topology(key, value *yaml.Node) Topology {
	t := struct {
		Topology `yaml:",inline"`
		Config   *yaml.Node `yaml:"config"`
	}{Topology: Topology{Name: key.Value, Prune: DefaultPrune(), node: value}}
	if key.Value == "" {
		p.errorf(key, "a topology needs a name")
	}
	if err := strictyaml.Decode(value, &t, p.file, p.names.LookupEnv, nil); err != nil {
		p.errs = append(p.errs, err)
	}
	if value.Kind != yaml.MappingNode && value.Kind != yaml.AliasNode {
		return t.Topology
	}
	t.Topology.Config = p.strategy(key, &t.Topology, t.Config)
	p.errs = append(p.errs, t.Topology.checkNames(p.file, p.names))
	if t.Connector == "" && len(p.names.Connectors) > 0 {
		t.Connector = p.names.Connectors[0]
	}
	return t.Topology
}

// strategy configures the strategy that a topology names.
func (p *parser) strategy(key *yaml.Node, t *Topology, config *yaml.Node) *strategy.Configured {
	named := strictyaml.Child(t.node, "strategy")
	switch {
	case named == nil:
		p.errorf(key, "topology %q: strategy is required%s", t.Name, strictyaml.Known(p.names.Strategies.Names()))
		return nil
	case t.Strategy == "": // its own mistake is reported already
		return nil
	case config != nil && strictyaml.Missing(config):
		p.errorf(config, "config: the value is missing; leave the key out to use the defaults")
		return nil
	}
	src := strategy.Source{File: p.file, LookupEnv: p.names.LookupEnv, At: named}
	configured, err := p.names.Strategies.Configure(t.Strategy, config, src)
	if err != nil {
		p.errs = append(p.errs, err)
	}
	return configured
}

// checkNames reports connectors and callbacks that nobody registered.
func (t *Topology) checkNames(file string, names Vocabulary) error {
	var errs []error
	check := func(key, name string, known []string) {
		for _, k := range known {
			if k == name {
				return
			}
		}
		if name == "" {
			return
		}
		at := strictyaml.Child(t.node, key)
		if len(known) == 0 {
			errs = append(errs, strictyaml.Errorf(file, at, "%s: the program has registered none, so %q cannot be used", key, name))
			return
		}
		errs = append(errs, strictyaml.Errorf(file, at, "unknown %s %q%s", key, name, strictyaml.Hint(name, known)))
	}
	if names.Connectors != nil {
		check("connector", t.Connector, names.Connectors)
	}
	check("connect", t.Connect, names.Connect)
	check("disconnect", t.Disconnect, names.Disconnect)
	check("list", t.List, names.List)
	return errors.Join(errs...)
}
