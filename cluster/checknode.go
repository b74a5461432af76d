package cluster

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/strictyaml"
)

// place places errors of the node in the file.
func (c *Config) place(err error) error { return strictyaml.Place(c.root, c.file, err) }

// checkNode reports which settings of the node the connectors in use cannot honour or start with, as far as their kinds are known.
//
// If one of them listens, its check decides, since the node is reached through it. Otherwise a setting is honoured if one of the others
// honours it.
func (c *Config) checkNode() error {
	if c.options.Connectors == nil {
		return nil
	}
	var errs, others []error
	var first Topology // whose connector listens
	seen := make(map[string]bool)
	for _, t := range c.Topologies {
		kind, ok := c.options.Connectors.Kind(t.Connector)
		if !ok || seen[kind.Name] {
			continue
		}
		seen[kind.Name] = true
		switch {
		case !kind.Listens:
			others = append(others, kind.Check(c.Node))
		case first.Connector != "":
			err := fmt.Errorf("%s and %s of topology %q cannot both listen on node.listen; name one of them in all topologies",
				kind.Name, first.Connector, first.Name)
			errs = append(errs, strictyaml.Place(t.node, c.file, strictyaml.At("connector", err)))
		default:
			first = t
			errs = append(errs, c.place(kind.Check(c.Node)))
		}
	}
	if first.Connector == "" && !slices.Contains(others, nil) {
		errs = append(errs, c.place(errors.Join(others...)))
	}
	return strictyaml.Join(errs...)
}

// checkHonoured reports optional settings of the node that none of the connectors given honours: none of them was made for a node.
func (s *Supervisor) checkHonoured(c *Config) error {
	for _, given := range s.connectors {
		if _, ok := given.(connector.Configured); ok {
			return nil
		}
	}
	name := s.defaultConnector
	if len(c.Topologies) > 0 {
		name = s.connectorName(c.Topologies[0])
	}
	return c.place(connector.Own(name).Check(c.Node))
}

// checkMade reports connectors that were made for another node than that of the configuration.
func (s *Supervisor) checkMade(c *Config) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.connectors)) {
		configured, ok := s.connectors[name].(connector.Configured)
		if !ok {
			continue
		}
		has := configured.NodeConfig()
		for _, setting := range c.Node.Differences(has) {
			if err := c.Node.Refuse(name, setting); err != nil && !slices.Contains(has.Given(), setting) {
				errs = append(errs, c.place(err))
				continue
			}
			errs = append(errs, c.place(strictyaml.At(string(setting),
				fmt.Errorf("the connector %s was made for a node with another value; make it with the Node of this configuration", name))))
		}
	}
	return strictyaml.Join(errs...)
}

// isNil reports whether an interface is nil, or holds a nil.
func isNil(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return r.IsNil()
	}
	return false
}

// checkConnector reports a connector that cannot work.
func checkConnector(c connector.Connector) error {
	if isNil(c) {
		return errors.New("it is nil")
	}
	if v, ok := c.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}
