package cluster

import (
	"errors"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Sections of a file that a program honours, not the supervisor; see [WithHonoured].
const (
	SectionQuorum = "quorum"
	SectionGroups = "groups"
	SectionHTTP   = "http"
)

// sections decodes what a program honours. It follows the topologies, whose expect is the default of the birth.
func (p *parser) sections(c *Config, d *document) {
	if n := d.Quorum; n != nil {
		q := DefaultQuorum()
		p.section(n, &q, func() { c.Quorum = &q })
		if !q.useExpect(c.Topologies) && c.Quorum != nil {
			p.errorf(n, "quorum.birth: required, since no topology has expect: give {expect: N}, {names: [a, b, c]} or {kubernetes: {}}")
		}
	}
	if n := d.HTTP; n != nil {
		h := DefaultHTTP()
		p.section(n, &h, func() { c.HTTP = &h })
		if c.HTTP != nil {
			p.errs = append(p.errs, strictyaml.Place(n, p.file, h.CheckFiles()))
		}
	}
	if n := d.Groups; n != nil && strictyaml.Missing(n) {
		p.errorf(n, "groups: name at least one, with its shards, or leave the key out")
	} else if n != nil {
		p.errs = append(p.errs, strictyaml.Mapping(n, p.file, func(key, value *yaml.Node) { p.group(c, key, value) }))
	}
	c.Node.Quorum, c.Node.Groups = d.Quorum != nil, d.Groups != nil && !strictyaml.Missing(d.Groups)
}

// section decodes one section; without a mistake it is taken.
func (p *parser) section(n *yaml.Node, into any, take func()) {
	err := strictyaml.Decode(n, into, p.file, p.options.LookupEnv, nil)
	p.errs = append(p.errs, err)
	if err == nil {
		take()
	}
}

// group decodes one entry of groups.
func (p *parser) group(c *Config, key, value *yaml.Node) {
	g := DefaultGroup()
	g.Name = key.Value
	if err := checkGroupName(g.Name); err != nil {
		p.errorf(key, "%v", err)
	}
	p.section(value, &g, func() { c.Groups = append(c.Groups, g) })
	if g.Level != LevelPrefer && strictyaml.Child(c.root, SectionQuorum) == nil {
		p.errorf(key, "group %q: level %s needs the section quorum; only level prefer goes without", g.Name, g.Level)
	}
}

// checkSections reports what is wrong with the sections of a configuration that may have been filled in by hand, and those that no
// part of the program honours.
func (s *Supervisor) checkSections(c *Config) error {
	errs := []error{c.validateSections()}
	for _, given := range []struct {
		name  string
		there bool
	}{{SectionQuorum, c.Quorum != nil}, {SectionGroups, len(c.Groups) > 0}, {SectionHTTP, c.HTTP != nil}} {
		if given.there && !slices.Contains(s.honoured, given.name) {
			errs = append(errs, strictyaml.At(given.name, errors.New("this program does not honour the section; leave it out, or run the file with agent.Start")))
		}
	}
	return c.place(errors.Join(errs...))
}

// validateSections repeats what Parse has checked.
func (c *Config) validateSections() error {
	var errs []error
	if q := c.Quorum; q != nil {
		errs = append(errs, strictyaml.At(SectionQuorum, q.Validate()))
		if !q.Birth.given() {
			errs = append(errs, strictyaml.At(SectionQuorum, errors.New("birth: required: Expect, Names or Kubernetes")))
		}
	}
	for _, g := range c.Groups {
		key := SectionGroups + "." + g.Name
		errs = append(errs, strictyaml.At(key, checkGroupName(g.Name)), strictyaml.At(key, g.Validate()))
		if g.Level != LevelPrefer && c.Quorum == nil {
			errs = append(errs, strictyaml.At(key, fmt.Errorf("level %s needs a quorum", g.Level)))
		}
	}
	if c.HTTP != nil {
		errs = append(errs, strictyaml.At(SectionHTTP, errors.Join(c.HTTP.Validate(), c.HTTP.CheckFiles())))
	}
	if has := c.Quorum != nil; c.Node.Quorum != has {
		errs = append(errs, strictyaml.At(SectionQuorum, fmt.Errorf("Node.Quorum is %v and the section is given: %v; the two go together", c.Node.Quorum, has)))
	}
	if has := len(c.Groups) > 0; c.Node.Groups != has {
		errs = append(errs, strictyaml.At(SectionGroups, fmt.Errorf("Node.Groups is %v and groups are given: %v; the two go together", c.Node.Groups, has)))
	}
	return errors.Join(errs...)
}

// sameSections reports whether what a program honours is the same in both configurations.
func sameSections(a, b *Config) bool {
	return (a.Quorum == nil) == (b.Quorum == nil) && (a.Quorum == nil || a.Quorum.equal(b.Quorum)) && slices.Equal(a.Groups, b.Groups) &&
		(a.HTTP == nil) == (b.HTTP == nil) && (a.HTTP == nil || a.HTTP.equal(b.HTTP))
}

func (h *HTTP) equal(o *HTTP) bool {
	return h.Listen == o.Listen && slices.Equal(h.Names, o.Names) && h.TokenFile == o.TokenFile && h.TLS == o.TLS && h.Write == o.Write
}

func (q *Quorum) equal(o *Quorum) bool {
	return q.Voters == o.Voters && q.Lease == o.Lease && q.ReplaceAfter == o.ReplaceAfter && q.Birth.equal(o.Birth) && slices.Equal(q.Eligible, o.Eligible)
}
