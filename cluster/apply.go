package cluster

import (
	"errors"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Apply puts another configuration into force. Topologies that are equal in both are not touched; one whose strategy changed hands over
// when the new strategy has its first answer. The cluster ID cannot change. Of the node's own settings those are taken over that its
// connector can change while it runs, as gossip can node.keys (see [connector.Reloader]); the others are those of the start, and what
// differs is logged. A configuration that the node could not start with is an error. So is a call after the end of Run.
func (s *Supervisor) Apply(c *Config) error {
	if c == nil {
		return errors.New("the configuration is nil")
	}
	if err := s.checkConfig(c); err != nil {
		return err
	}
	before := s.board.load().config
	if old := before.Node.Cluster; c.Node.Cluster != old {
		return strictyaml.Errorf(c.file, c.root, "cluster: a running node cannot change from cluster %q to %q; restart it", old, c.Node.Cluster)
	}
	if err := s.reloadNode(c, before); err != nil {
		return err
	}
	s.logWarnings(c, before)
	return s.applyChecked(c)
}

// applyChecked puts a configuration that was checked into force: at once before Run, else through its loop.
func (s *Supervisor) applyChecked(c *Config) error {
	if before, ok := s.board.replaceConfig(c, &s.registry); ok {
		for _, one := range changesOf(before, c) {
			s.feed.emit(one.event())
		}
		return nil
	}
	a := application{c, make(chan struct{})}
	select {
	case s.applications <- a:
		<-a.done
		return nil
	case <-s.stopped:
		return errStopped
	}
}

// logWarnings logs what [Config.Warnings] reports, without what the log has of the configuration before, which may be nil.
func (s *Supervisor) logWarnings(c, before *Config) {
	known := make(map[string]bool)
	if before != nil {
		for _, err := range joined(before.Warnings()) {
			known[err.Error()] = true
		}
	}
	for _, err := range joined(c.Warnings()) {
		if !known[err.Error()] {
			s.log.Warn("a setting works and has a consequence that you may not expect", "error", err)
		}
	}
}

// joined returns the errors that an error joins.
func joined(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return nil
}
