package memberlist

import (
	"errors"
	"net/netip"

	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
)

// list is memberlist with the members that its callbacks reported: an [mlnet.Cluster].
type list struct {
	*memberlist.Memberlist
	*members
}

var _ mlnet.Cluster = (*list)(nil)

// createCluster starts memberlist on an open listener.
func (c *Connector) createCluster(b mlnet.Binding) (mlnet.Cluster, error) {
	m := &members{
		self:    c.config.Name,
		public:  b.Public,
		changed: b.Changed,
		taken:   b.NameTaken,
		log:     b.Damper,
		alive:   make(map[string]netip.AddrPort),
	}
	conf, err := mlnet.ListConfig(b, string(c.config.Profile), c.config.Cluster, c.config.KeyBytes())
	if err != nil {
		return nil, err
	}
	conf.Name = c.config.Name
	conf.Events, conf.Alive, conf.Conflict, conf.Merge = m, m, m, m
	if c.tune != nil {
		c.tune(conf)
	}
	ml, err := memberlist.Create(conf)
	if err != nil {
		return nil, err
	}
	return &list{Memberlist: ml, members: m}, nil
}

// Join swaps the full state with the node at one address.
func (l *list) Join(target string) error {
	n, err := l.Memberlist.Join([]string{target})
	if err == nil && n != 1 {
		return errors.New("memberlist joined no node")
	}
	return err
}

// Done returns nil: memberlist does not end by itself.
func (l *list) Done() <-chan struct{} { return nil }
