package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// State is what a strategy is doing.
type State string

// The states of a strategy.
const (
	Starting   State = "starting" // no answer yet
	Running    State = "running"
	Restarting State = "restarting" // crashed, waits to be started again
	Failed     State = "failed"     // cannot work here; not restarted until its configuration changes
)

const (
	maxPeers = 1 << 20 // peers of one topology; more is taken for a fault of the source
)

// topology is a topology at work. The supervisor's mu guards it.
type topology struct {
	s        *Supervisor
	settings Topology
	group    *group // nil until started
	current  *runner
	pending  *runner // of a changed configuration, until its first answer

	state      State
	restarts   int
	lastSet    time.Time
	lastAdd    time.Time
	lastFail   time.Time
	err        error // of lastFail
	failing    bool  // since the last good answer
	failures   pacer // of the lines about them
	failLogged bool  // this failure is in the log
	stale      bool
	leaving    bool
	formed     bool // it was whole once
	wasWhole   bool
	broken     reminder
	pendingErr error
}

func newTopology(s *Supervisor, settings Topology) *topology {
	return &topology{s: s, settings: settings, state: Starting}
}

// start begins to look for peers. mu is held.
func (t *topology) start() {
	t.join(nil)
	t.current = t.launch()
}

// join enters the group of the connector, with the peers that were wanted on another one. mu is held.
func (t *topology) join(wanted []peer.Peer) {
	t.group = t.s.groupOf(t.settings)
	t.group.ledger.AddTopology(t.settings.Name, t.prune())
	t.group.ledger.Add(t.settings.Name, wanted, time.Now())
	t.group.wakeUp()
}

// prune returns the settings in force for this topology's connector.
func (t *topology) prune() reconcile.Prune {
	p := t.settings.Prune
	if p == (Prune{}) {
		p = DefaultPrune()
	}
	never := p.Mode == pruneNever || p.Mode == "" && t.group.gossips || !t.canDisconnect()
	return reconcile.Prune{Never: never, After: p.After, MaxFraction: p.MaxFraction}
}

// change puts other settings into force and reports whether anything differs. mu is held.
func (t *topology) change(to Topology) bool {
	from := t.settings
	t.settings = to
	sameStrategy := from.Config.Equal(to.Config)
	if sameSettings(from, to) && sameStrategy {
		return false
	}
	if t.s.ctx == nil {
		return true
	}
	if t.s.groupKey(from) != t.s.groupKey(to) {
		wanted := t.group.ledger.Wanted(to.Name)
		t.group.ledger.RemoveTopology(to.Name, time.Now())
		t.join(wanted)
	}
	t.group.ledger.AddTopology(to.Name, t.prune())
	if !sameStrategy {
		if t.pending != nil {
			t.pending.stop()
		}
		t.pending, t.pendingErr = t.launch(), nil
	}
	t.group.wakeUp()
	return true
}

// sameSettings compares all but the strategy's own configuration and where it was read.
func sameSettings(a, b Topology) bool {
	a.Config, a.node, a.Strategy = nil, nil, ""
	b.Config, b.node, b.Strategy = nil, nil, ""
	return a == b
}

// remove ends a topology. mu is held.
func (t *topology) remove() {
	for _, r := range []*runner{t.current, t.pending} {
		if r != nil {
			r.stop()
		}
	}
	t.current, t.pending = nil, nil
	if t.group != nil {
		t.group.ledger.RemoveTopology(t.settings.Name, time.Now())
		t.group.wakeUp()
	}
}

// connect returns what dials for this topology, disconnect what drops. mu is held.
func (t *topology) connect() connector.ConnectFunc {
	if f := t.s.connects[t.settings.Connect]; f != nil {
		return f
	}
	return t.s.connectorOf(t.settings).Connect
}

func (t *topology) disconnect() connector.DisconnectFunc {
	if f := t.s.disconnects[t.settings.Disconnect]; f != nil {
		return f
	}
	if c := t.s.connectorOf(t.settings); c != nil {
		return c.Disconnect
	}
	return connector.Funcs{}.Disconnect
}

// canDisconnect reports whether there is anything that disconnects a peer of this topology.
func (t *topology) canDisconnect() bool {
	if t.s.disconnects[t.settings.Disconnect] != nil {
		return true
	}
	switch c := t.s.connectorOf(t.settings).(type) {
	case nil:
		return false
	case connector.Funcs:
		return c.DisconnectFunc != nil
	case *connector.Funcs:
		return c.DisconnectFunc != nil
	}
	return true
}

// runner keeps one configuration of a strategy running.
type runner struct {
	t      *topology
	config *strategy.Configured
	cancel context.CancelFunc
	ended  chan struct{}
}

// launch starts the configured strategy. mu is held.
func (t *topology) launch() *runner {
	ctx, cancel := context.WithCancel(t.s.ctx)
	r := &runner{t: t, config: t.settings.Config, cancel: cancel, ended: make(chan struct{})}
	env := t.env()
	t.s.tasks.start("strategy of topology "+t.settings.Name, func() {
		defer close(r.ended)
		r.run(ctx, env)
	})
	return r
}

func (t *topology) env() strategy.Env {
	base := t.s.connectorOf(t.settings)
	return strategy.Env{
		Log:       t.s.log.Named("strategy").With("topology", t.settings.Name, "strategy", t.settings.Config.Kind),
		Topology:  t.settings.Name,
		ClusterID: t.s.config.Node.Cluster,
		Self:      func() []peer.Peer { return t.s.self(base) },
		Resolver:  t.s.resolver,
	}
}

// stop ends a runner. A strategy that goes on is named in the log and no longer listened to.
func (r *runner) stop() {
	r.cancel()
	name := r.t.settings.Name
	time.AfterFunc(stopGrace, func() {
		select {
		case <-r.ended:
		default:
			r.t.s.log.Error("strategy does not stop and is left behind", "topology", name, "strategy", r.config.Kind)
		}
	})
}

// run runs the strategy until ctx is done, again after every crash.
func (r *runner) run(ctx context.Context, env strategy.Env) {
	var b backoff
	for {
		started := time.Now()
		out := &sink{r: r}
		err := guard(func() error {
			made, err := r.config.New(env)
			if err != nil {
				return err
			}
			return made.Run(ctx, out)
		})
		out.close()
		if ctx.Err() != nil {
			return
		}
		r.crashed(err)
		if strategy.IsPermanent(err) || !b.wait(ctx, time.Since(started)) {
			return
		}
	}
}

// crashed takes note of a strategy that ended before its context.
func (r *runner) crashed(err error) {
	t := r.t
	if err == nil {
		err = errors.New("it returned although it was not told to stop")
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	wrapped := fmt.Errorf("strategy %s crashed: %w", r.config.Kind, err)
	args := []any{"topology", t.settings.Name, "strategy", r.config.Kind, "error", err}
	var p *panicError
	if errors.As(err, &p) {
		args = append(args, "stack", p.stack)
	}
	if r != t.current {
		t.pendingErr = wrapped
		t.s.log.Error("changed strategy crashed; the one before stays in force", args...)
		return
	}
	t.fail(wrapped)
	if strategy.IsPermanent(err) {
		t.state = Failed
		t.s.log.Error("strategy cannot work here", args...)
		t.s.emit(Event{Kind: StrategyFailed, Topology: t.settings.Name, Err: err})
		return
	}
	t.state = Restarting
	t.restarts++
	t.s.log.Error("strategy crashed and is restarted", args...)
	t.s.emit(Event{Kind: StrategyRestarted, Topology: t.settings.Name, Err: err})
}

// fail records that there was no answer. mu is held.
func (t *topology) fail(err error) {
	now := time.Now()
	t.group.ledger.Fail(t.settings.Name)
	t.lastFail, t.err = now, err
	if !t.failing {
		t.s.emit(Event{Kind: SourceFailed, Topology: t.settings.Name, Err: err})
	}
	wait := t.failures.next()
	if t.failing {
		wait = t.failures.logged.Add(maxLogGap)
	}
	if !now.Before(wait) {
		t.failLogged = true
		t.failures.passed(now)
		t.s.log.Warn("source gives no answer; the last one stands", "topology", t.settings.Name,
			"strategy", t.settings.Config.Kind, "error", err)
	}
	t.failing = true
}

// answered records a complete answer. mu is held.
func (t *topology) answered(now time.Time) {
	t.lastSet, t.stale = now, false
	if t.failing {
		t.failing, t.err = false, nil
		t.s.emit(Event{Kind: SourceRecovered, Topology: t.settings.Name})
		if t.failLogged {
			t.failLogged = false
			t.s.log.Info("source answers again", "topology", t.settings.Name, "strategy", t.settings.Config.Kind)
		}
	}
}
