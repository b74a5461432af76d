package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// warnQuorum reports what has a consequence for the quorum.
func (c *Config) warnQuorum() error {
	q := c.Quorum
	if q == nil {
		return nil
	}
	errs := []error{c.warnQuorumDisk()}
	at := func(key, format string, args ...any) {
		errs = append(errs, strictyaml.At(SectionQuorum+"."+key, fmt.Errorf(format, args...)))
	}
	if nodes := c.expected(); nodes > 0 {
		switch founders := q.Birth.Expect; {
		case founders > nodes:
			at("birth.expect", "%d members found the quorum, and no topology expects more than %s: it is not founded before there are more", founders, plural(nodes, "node"))
		case founders > 0 && 2*founders <= nodes:
			at("birth.expect", "%d of %d nodes found the quorum: if they are cut in two before, each side founds one; give more than half, %d or more", founders, nodes, nodes/2+1)
		}
		if len(q.Birth.Names) > nodes {
			at("birth.names", "%d members found the quorum, and no topology expects more than %s: it is not founded before all of them are there", len(q.Birth.Names), plural(nodes, "node"))
		}
		if q.Voters > nodes {
			at("voters", "%d are wanted, and no topology expects more than %s", q.Voters, plural(nodes, "node"))
		}
	}
	return errors.Join(append(errs, c.warnBirthNames())...)
}

// warnQuorumDisk reports voters that keep nothing.
func (c *Config) warnQuorumDisk() error {
	if c.Node.DataDir != "" {
		return nil
	}
	text := "without node.data_dir a voter is another one after each start: when most of them restart at once, the quorum is lost"
	if c.Quorum.Birth.Kubernetes != nil {
		text += ", and founded again only after its Lease was deleted"
	}
	return strictyaml.At(SectionQuorum, errors.New(text))
}

// expected returns the greatest number of nodes that a topology expects, 0 if one of them expects an unknown number.
func (c *Config) expected() (most int) {
	for _, t := range c.Topologies {
		if t.Expect == 0 {
			return 0
		}
		most = max(most, t.Expect)
	}
	return most
}

// warnBirthNames reports founders that are not among the peers, where the hosts of these are named as the nodes are: where at least one founder
// is the host of a peer.
func (c *Config) warnBirthNames() error {
	hosts := map[string]bool{}
	for _, t := range c.Topologies {
		if t.Config == nil {
			continue
		}
		for _, addr := range t.Config.FixedPeers() {
			host := hostOf(addr)
			label, _, _ := strings.Cut(host.name, ".")
			hosts[host.name], hosts[label] = true, true
		}
	}
	names := c.Quorum.Birth.Names
	if !slices.ContainsFunc(names, func(name string) bool { return hosts[name] }) {
		return nil
	}
	var errs []error
	for i, name := range names {
		if !hosts[name] && name != c.Node.Name {
			errs = append(errs, strictyaml.At(fmt.Sprintf("%s.birth.names[%d]", SectionQuorum, i),
				fmt.Errorf("%q is the host of no peer that a strategy lists, and the quorum is not founded without it", name)))
		}
	}
	return errors.Join(errs...)
}
