// Package prom shows what a node does as metrics of Prometheus: a [Collector] that a program registers in the registry that it has, and a
// [Handler] for one that has none. docs/monitoring.md has each metric with its unit and meaning.
//
//	metrics := prom.New(supervisor, prom.WithNode(node.Gossip), prom.WithQuorum(node.Quorum))
//	err := metrics.Register(registry)
package prom

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum"
)

// Collector is a [prometheus.Collector] of one node. It reads what the node publishes when it is scraped, and keeps nothing: a topology that was
// removed has no series any more. No series has the name or address of a peer, a key or an error as a label, so that their number does not grow
// with the cluster: at most 300 with five topologies, a quorum and four groups.
type Collector struct {
	supervisor *cluster.Supervisor
	node       func() *gossip.Node
	quorum     func() quorumSource // nil: none is shown
	cluster    string
	descs      map[*family]*prometheus.Desc
}

var _ prometheus.Collector = (*Collector)(nil)

// Option gives a [Collector] more to show.
type Option func(*Collector)

// WithNode shows the node of the gossip core that the function returns, nil for none: it is called at each scrape, since a node may come later,
// and another one may take its place. The Gossip method of an agent's Node is one.
func WithNode(node func() *gossip.Node) Option { return func(c *Collector) { c.node = node } }

// WithQuorum shows the quorum that the function returns, as [WithNode] does. The Quorum method of an agent's Node is one.
func WithQuorum(q func() *quorum.Quorum) Option {
	return func(c *Collector) {
		c.quorum = func() quorumSource {
			if now := q(); now != nil {
				return now
			}
			return nil
		}
	}
}

// New returns the metrics of a supervisor, which need not run yet.
func New(s *cluster.Supervisor, opts ...Option) *Collector {
	c := &Collector{supervisor: s, cluster: s.Stats().Cluster, descs: make(map[*family]*prometheus.Desc)}
	for _, o := range opts {
		o(c)
	}
	c.describe(supervisorFamilies)
	if c.node != nil {
		c.describe(gossipFamilies)
	}
	if c.quorum != nil {
		c.describe(quorumFamilies)
	}
	return c
}

// describe adds families to what is shown.
func (c *Collector) describe(families []*family) {
	labels := prometheus.Labels{"cluster_name": text(c.cluster)}
	for _, f := range families {
		c.descs[f] = prometheus.NewDesc("convoke_"+f.name, f.help, f.labels, labels)
	}
}

// Register registers c. A registry can have the metrics of one node for each cluster: a second one of the same cluster would write the same
// series, and is an error.
func (c *Collector) Register(r prometheus.Registerer) error {
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &already):
		return fmt.Errorf("prom: the registry has the metrics of a node of the cluster %q already; give each node of one cluster a registry, or labels, of its own", c.cluster)
	}
	return fmt.Errorf("prom: the registry has other metrics with the names of those of the cluster %q: %w", c.cluster, err)
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. It waits for the loops of the node and the quorum, for a second each at most: what they would have
// returned is missing then.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := scrape{descs: c.descs, ch: ch}
	s.supervisor(c.supervisor.Stats())
	if c.node != nil {
		s.gossip(c.node())
	}
	if c.quorum != nil {
		s.quorum(c.quorum())
	}
}
