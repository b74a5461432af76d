package cluster

import (
	"context"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// layout is the configuration in force, and which topology runs on which reconciler. The loop in run owns it.
type layout struct {
	*shared
	config      *Config
	links       map[string]link        // of each connector, by name
	homes       map[string]*reconciler // of each topology, by name
	reconcilers map[string]*reconciler // by the key of their list
}

// link is what does not change about a connector.
type link struct {
	gossips bool
	changes <-chan struct{}
}

// application is a call of Apply.
type application struct {
	config *Config
	done   chan struct{} // closed when the configuration is in force
}

// newLayout asks each connector once for what does not change. It runs before the loop does, since that runs no code of others.
func newLayout(s *shared) *layout {
	l := &layout{
		shared: s, config: &Config{}, links: make(map[string]link), homes: make(map[string]*reconciler), reconcilers: make(map[string]*reconciler),
	}
	for name, c := range s.connectors {
		var one link
		err := recoverPanic(func() error {
			if g, ok := c.(connector.Gossiper); ok {
				one.gossips = g.Gossips()
			}
			if n, ok := c.(connector.Notifier); ok {
				one.changes = n.Changes()
			}
			return nil
		})
		if err != nil {
			s.log.Error("connector cannot be asked for its properties", append([]any{"connector", name}, errorArgs(err)...)...)
		}
		l.links[name] = one
	}
	return l
}

// run is the loop: it puts the configurations of Apply into force until ctx is done.
func (l *layout) run(ctx context.Context, applications <-chan application) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case a := <-applications:
			for _, c := range l.apply(ctx, a.config) {
				l.feed.emit(c.event())
			}
			close(a.done)
		}
	}
}

// apply puts a configuration into force and returns what it changed.
func (l *layout) apply(ctx context.Context, c *Config) []change {
	changes := changesOf(l.config, c)
	for _, one := range changes {
		switch name := one.name; {
		case one.to == nil:
			l.homes[name].runInLoop(func(now time.Time) { l.homes[name].removeTopology(name, now) })
			delete(l.homes, name)
		case one.from == nil:
			l.placeTopology(ctx, newTopology(*one.to), nil)
		default:
			l.replaceTopology(ctx, name, *one.to)
		}
	}
	l.config = c
	l.board.update(func(next *snapshot) { next.setConfig(c, &l.registry) })
	return changes
}

// placeTopology gives a topology to the reconciler of its list, a new one if it is the first there.
func (l *layout) placeTopology(ctx context.Context, t *topology, wanted []peer.Peer) {
	key := l.listKey(t.settings)
	r := l.reconcilers[key]
	if r == nil {
		r = newReconciler(l.shared, t.settings, l.links[l.connectorName(t.settings)])
		l.reconcilers[key] = r
		l.tasks.start("reconciler of "+key, func() { r.run(ctx) })
	}
	l.homes[t.settings.Name] = r
	r.runInLoop(func(now time.Time) { r.addTopology(ctx, t, wanted, now) })
}

// replaceTopology gives a topology other settings, and moves it first if its list is another one now. A move takes two steps, releaseTopology and placeTopology,
// and each runs in the loop that owns the topology then; between them none does, which is safe since the mailbox keeps what its strategy
// reports. The strategy goes along as it runs: a change of the connector alone must not restart it.
func (l *layout) replaceTopology(ctx context.Context, name string, to Topology) {
	if r := l.homes[name]; r.key != l.listKey(to) {
		var t *topology
		var wanted []peer.Peer
		if !r.runInLoop(func(now time.Time) { t, wanted = r.releaseTopology(name, now) }) {
			return // everything ends
		}
		same := t.settings.Config
		t.settings = to
		t.settings.Config = same // until the changed strategy starts
		l.placeTopology(ctx, t, wanted)
	}
	r := l.homes[name]
	r.runInLoop(func(time.Time) { r.changeTopology(ctx, name, to) })
}
