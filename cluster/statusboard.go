package cluster

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
)

// phase is how far a supervisor has run.
type phase int

const (
	notRun phase = iota
	running
	ended
)

// snapshot is what a supervisor publishes. It is never changed once it is published.
type snapshot struct {
	phase      phase
	config     *Config
	node       string
	formed     bool                      // all topologies had formed at one moment
	topologies map[string]*topologyView  // by name; each of config has one
	connectors map[string]*connectorView // by key of the reconciler
	replaced   chan struct{}             // closed when another snapshot is published
}

// statusBoard holds the newest snapshot. Readers take no lock.
type statusBoard struct {
	current atomic.Pointer[snapshot]
	writers sync.Mutex // held while the next snapshot is made of the current one
}

// init publishes the first snapshot: all topologies of the configuration, none of them running.
func (b *statusBoard) init(c *Config, r *registry) {
	s := &snapshot{node: c.Node.Name, connectors: map[string]*connectorView{}, replaced: make(chan struct{})}
	s.setConfig(c, r)
	b.current.Store(s)
}

func (b *statusBoard) load() *snapshot { return b.current.Load() }

// update publishes a copy of the current snapshot that change has changed. change must replace maps, not write to them.
func (b *statusBoard) update(change func(next *snapshot)) {
	b.writers.Lock()
	defer b.writers.Unlock()
	before := b.current.Load()
	next := *before
	next.replaced = make(chan struct{})
	change(&next)
	next.formed = next.formed || next.phase == running && next.allFormed()
	b.current.Store(&next)
	close(before.replaced) // after the store: a reader that it wakes finds the new one
}

// start records that Run has begun, and returns the configuration to run. It returns an error the second time.
func (b *statusBoard) start() (c *Config, err error) {
	b.update(func(next *snapshot) {
		if next.phase != notRun {
			err = errors.New("the supervisor was run before")
			return
		}
		next.phase, c = running, next.config
	})
	return c, err
}

// end records that Run has ended, or is about to.
func (b *statusBoard) end() {
	b.update(func(next *snapshot) { next.phase = ended })
}

// replaceConfig puts a configuration into force before Run has begun. Otherwise it changes nothing and returns false.
func (b *statusBoard) replaceConfig(c *Config, r *registry) (before *Config, ok bool) {
	b.update(func(next *snapshot) {
		before = next.config
		if ok = next.phase == notRun; ok {
			next.topologies = nil
			next.setConfig(c, r)
		}
	})
	return before, ok
}

// setConfig takes a configuration: topologies that it lacks are removed, and new ones are shown as starting until their reconciler
// publishes them.
func (s *snapshot) setConfig(c *Config, r *registry) {
	before := s.topologies
	s.config, s.topologies = c, make(map[string]*topologyView, len(c.Topologies))
	for _, t := range c.Topologies {
		if s.topologies[t.Name] = before[t.Name]; s.topologies[t.Name] == nil {
			s.topologies[t.Name] = newView(t, r)
		}
	}
}

// allFormed reports whether every topology of the configuration has formed.
func (s *snapshot) allFormed() bool {
	for _, t := range s.config.Topologies {
		if !s.topologies[t.Name].status.Formed {
			return false
		}
	}
	return true
}

// publish publishes what a reconciler knows: views of those of its topologies that changed, and of its connector.
func (b *statusBoard) publish(key string, connector *connectorView, topologies map[string]*topologyView) {
	b.update(func(next *snapshot) {
		next.connectors = maps.Clone(next.connectors)
		next.connectors[key] = connector
		next.topologies = maps.Clone(next.topologies)
		maps.Copy(next.topologies, topologies)
	})
}
