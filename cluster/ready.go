package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// liveTimeout is how long a reconciler may take for one turn: a list with its deadline, the rest that follows a slow one, and the pause
// between rounds stay well below.
const liveTimeout = 2 * time.Minute

var (
	errNotRun  = errors.New("the supervisor does not run: Run was not called")
	errStopped = errors.New("the supervisor has stopped")
)

// Live returns nil while the loops of a running supervisor turn, whoever is connected: for a liveness probe. It returns an error before
// Run, after its end, and when a reconciler has made no round for 2 minutes, because a connector hangs where it must not.
func (s *Supervisor) Live() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.runs(); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(s.groups)) {
		if silent := time.Since(s.groups[key].turned); silent > liveTimeout {
			return fmt.Errorf("the reconciler of %s has made no round for %v", key, silent.Round(time.Second))
		}
	}
	return nil
}

// Formed waits until the named topologies have formed; none named means all that there were when they first had. A topology has
// formed when it was whole once (see [Supervisor.Whole]), whatever became of it later: so a service starts when its cluster is there, and
// does not stop when another copy restarts. That is what start-up and readiness probes ask.
//
// When ctx is done first, the error gives for each topology the reason why it has not formed. When Run has ended, or ends, that is the
// error, also for what had formed.
func (s *Supervisor) Formed(ctx context.Context, topologies ...string) error {
	for {
		missing, change, err := s.unformed(topologies)
		if err != nil || len(missing) == 0 {
			return err
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", notYet("has not formed", missing), context.Cause(ctx))
		}
	}
}

// Whole returns nil if the named topologies, all if none is named, are whole now: the connector has listed its peers, and enough of them
// are connected (min_peers, or expect less this node) or, if no number is set, the strategy has given a complete answer. The error
// gives for each topology the reason why it is not. It is for alerts: a probe that fails while another node restarts makes an
// outage of a restart.
func (s *Supervisor) Whole(topologies ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.runs(); err != nil {
		return err
	}
	chosen, err := s.chosen(topologies)
	if err != nil {
		return err
	}
	if missing := s.statusesOf(chosen, (*topology).isWhole); len(missing) > 0 {
		return notYet("is not whole", missing)
	}
	return nil
}

// notYet joins the reasons of topologies.
func notYet(what string, missing []TopologyStatus) error {
	var reasons []string
	for _, t := range missing {
		reasons = append(reasons, fmt.Sprintf("topology %s %s: %s", t.Name, what, t.Why))
	}
	return errors.New(strings.Join(reasons, "; "))
}

// runs returns nil while Run runs. mu is held.
func (s *Supervisor) runs() error {
	switch {
	case s.ended:
		return errStopped
	case s.ctx == nil:
		return errNotRun
	}
	return nil
}

// chosen returns the named topologies, or all, in the order of the configuration. mu is held.
func (s *Supervisor) chosen(names []string) ([]*topology, error) {
	for _, name := range names {
		if s.topologies[name] == nil {
			return nil, fmt.Errorf("no topology is named %q", name)
		}
	}
	var chosen []*topology
	for _, c := range s.config.Topologies {
		if len(names) == 0 || slices.Contains(names, c.Name) {
			chosen = append(chosen, s.topologies[c.Name])
		}
	}
	return chosen, nil
}

// statusesOf returns the status of each topology for which a condition does not hold. mu is held.
func (s *Supervisor) statusesOf(topologies []*topology, holds func(*topology) bool) []TopologyStatus {
	var missing []TopologyStatus
	now := time.Now()
	for _, t := range topologies {
		if !holds(t) {
			missing = append(missing, t.status(now))
		}
	}
	return missing
}

// unformed returns the topologies that have not formed, and a channel that is closed when that may have changed.
func (s *Supervisor) unformed(names []string) ([]TopologyStatus, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, nil, errStopped
	}
	chosen, err := s.chosen(names)
	if err != nil || s.formed && len(names) == 0 {
		return nil, nil, err
	}
	return s.statusesOf(chosen, func(t *topology) bool { return t.formed }), s.changes(), nil
}

// changes returns a channel that is closed when the status may have changed. mu is held.
func (s *Supervisor) changes() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// notifyStatus wakes those who wait for a change of the status, and reports what has formed or is whole or no longer. mu is held.
func (s *Supervisor) notifyStatus() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	if s.ended { // an orderly end is no news of the cluster
		return
	}
	formed := true
	for _, c := range s.config.Topologies {
		t := s.topologies[c.Name]
		if whole := t.isWhole(); whole != t.wasWhole {
			t.wasWhole = whole
			s.reportWhole(t, whole)
		}
		formed = formed && t.formed
	}
	s.formed = s.formed || formed
}

// reportWhole logs and publishes that a topology is whole, or no longer. mu is held.
func (s *Supervisor) reportWhole(t *topology, whole bool) {
	name := t.settings.Name
	phrase, kind := "topology is not whole any longer", TopologyNotWhole
	switch {
	case whole && t.formed:
		phrase, kind = "topology is whole again", TopologyWhole
	case whole:
		t.formed = true
		s.emit(Event{Kind: TopologyFormed, Topology: name})
		phrase, kind = "topology has formed", TopologyWhole
	}
	s.log.Info(phrase, "topology", name, "why", t.status(time.Now()).Why)
	s.emit(Event{Kind: kind, Topology: name})
}
