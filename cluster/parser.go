package cluster

import (
	"errors"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/strictyaml"
	"github.com/goconvoke/convoke/strategy"
)

// parser turns a document into a Config and collects every mistake on the way.
type parser struct {
	file    string
	options LoadOptions
	errs    []error
}

func (p *parser) errorf(n *yaml.Node, format string, args ...any) {
	p.errs = append(p.errs, strictyaml.Errorf(p.file, n, format, args...))
}

// document is the top of a file.
type document struct {
	Cluster    string               `yaml:"cluster"`
	Node       connector.NodeConfig `yaml:"node"`
	Topologies *yaml.Node           `yaml:"topologies"`
	Quorum     *yaml.Node           `yaml:"quorum"`
	Groups     *yaml.Node           `yaml:"groups"`
	HTTP       *yaml.Node           `yaml:"http"`
}

// Validate reports what is wrong with the node, whatever its connector.
func (d *document) Validate() error {
	d.Node.Cluster = d.Cluster
	return d.Node.Validate()
}

// parseDocument decodes the top of the file, then each topology and the other sections, and checks the node against the connectors in use.
func (p *parser) parseDocument(root *yaml.Node) *Config {
	d := document{Node: connector.DefaultNode()}
	decoded := strictyaml.Decode(root, &d, p.file, p.options.LookupEnv, nil)
	p.errs = append(p.errs, decoded)
	c := &Config{Node: d.Node, file: p.file, root: root, options: p.options}
	topologies := strictyaml.Child(root, "topologies")
	switch {
	case topologies == nil && root.Kind == yaml.MappingNode:
		p.errorf(root, "topologies: required: name at least one, with its strategy")
	case topologies != nil && strictyaml.Missing(topologies):
		p.errorf(topologies, "topologies: name at least one, with its strategy")
	case topologies != nil:
		err := strictyaml.Mapping(topologies, p.file, func(key, value *yaml.Node) {
			c.Topologies = append(c.Topologies, p.parseTopology(key, value))
		})
		p.errs = append(p.errs, err)
	}
	p.sections(c, &d)
	if decoded == nil { // else Node is not what the file has
		p.errs = append(p.errs, c.checkNode())
	}
	return c
}

// parseTopology decodes one entry of topologies.
func (p *parser) parseTopology(key, value *yaml.Node) Topology {
	t := struct {
		Topology `yaml:",inline"`
		Config   *yaml.Node `yaml:"config"`
	}{Topology: Topology{Name: key.Value, Prune: DefaultPrune(), node: value}}
	if key.Value == "" {
		p.errorf(key, "a topology needs a name")
	}
	if err := strictyaml.Decode(value, &t, p.file, p.options.LookupEnv, nil); err != nil {
		p.errs = append(p.errs, err)
	}
	if value.Kind != yaml.MappingNode && value.Kind != yaml.AliasNode {
		return t.Topology
	}
	t.Topology.Config = p.parseStrategy(key, &t.Topology, t.Config)
	p.errs = append(p.errs, t.Topology.checkNames(p.file, p.options.names()))
	if p.options.Connectors != nil && t.Connector == "" {
		kind, _ := p.options.Connectors.Kind("") // no kind at all leaves it as it is
		t.Connector = kind.Name
	}
	return t.Topology
}

// parseStrategy configures the strategy that a topology names.
func (p *parser) parseStrategy(key *yaml.Node, t *Topology, config *yaml.Node) *strategy.Configured {
	named := strictyaml.Child(t.node, "strategy")
	switch {
	case named == nil:
		p.errorf(key, "topology %q: strategy is required%s", t.Name, strictyaml.Known(p.options.Strategies.Names()))
		return nil
	case t.Strategy == "": // its own mistake is reported already
		return nil
	case config != nil && strictyaml.Missing(config):
		p.errorf(config, "config: the value is missing; leave the key out to use the defaults")
		return nil
	}
	src := strategy.Source{File: p.file, LookupEnv: p.options.LookupEnv, At: named}
	configured, err := p.options.Strategies.Configure(t.Strategy, config, src)
	if err != nil {
		p.errs = append(p.errs, err)
	}
	return configured
}

// registeredNames are the connectors and callbacks that a topology may name; nil connectors are not checked.
type registeredNames struct{ connectors, connect, disconnect, list []string }

func (o LoadOptions) names() registeredNames {
	n := registeredNames{connect: o.Connect, disconnect: o.Disconnect, list: o.List}
	if o.Connectors != nil {
		n.connectors = append([]string{}, o.Connectors.Names()...)
	}
	return n
}

// checkNames reports connectors and callbacks that are not registered.
func (t *Topology) checkNames(file string, names registeredNames) error {
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
	if names.connectors != nil {
		check("connector", t.Connector, names.connectors)
	}
	check("connect", t.Connect, names.connect)
	check("disconnect", t.Disconnect, names.disconnect)
	check("list", t.List, names.list)
	return errors.Join(errs...)
}
