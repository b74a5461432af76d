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

// Live returns nil while the loops of a running supervisor turn, whichever peers are connected: for a liveness probe. It returns an error before
// Run, after its end, and when a reconciler has made no round for 2 minutes, because a connector hangs where it must not.
func (s *Supervisor) Live() error {
	now := s.board.load()
	if err := now.runs(); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(now.connectors)) {
		if silent := time.Since(now.connectors[key].round); silent > liveTimeout {
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
		now := s.board.load()
		missing, err := now.unformed(topologies)
		if err != nil || len(missing) == 0 {
			return err
		}
		select {
		case <-now.replaced:
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
	now := s.board.load()
	if err := now.runs(); err != nil {
		return err
	}
	missing, err := now.without(topologies, func(t *TopologyStatus) bool { return t.Whole })
	if err == nil && len(missing) > 0 {
		err = notYet("is not whole", missing)
	}
	return err
}

// notYet joins the reasons of topologies.
func notYet(what string, missing []TopologyStatus) error {
	var reasons []string
	for _, t := range missing {
		reasons = append(reasons, fmt.Sprintf("topology %s %s: %s", t.Name, what, t.Why))
	}
	return errors.New(strings.Join(reasons, "; "))
}

// runs returns nil while Run runs.
func (s *snapshot) runs() error {
	switch s.phase {
	case ended:
		return errStopped
	case notRun:
		return errNotRun
	}
	return nil
}

// unformed returns those of the named topologies, or of all, that have not formed.
func (s *snapshot) unformed(names []string) ([]TopologyStatus, error) {
	switch {
	case s.phase == ended:
		return nil, errStopped
	case s.formed && len(names) == 0:
		return nil, nil
	}
	return s.without(names, func(t *TopologyStatus) bool { return t.Formed })
}

// without returns the status of those of the named topologies, or of all, for which a condition does not hold.
func (s *snapshot) without(names []string, holds func(*TopologyStatus) bool) (missing []TopologyStatus, err error) {
	for _, name := range names {
		if !slices.ContainsFunc(s.config.Topologies, func(t Topology) bool { return t.Name == name }) {
			return nil, fmt.Errorf("no topology is named %q", name)
		}
	}
	now := time.Now()
	for _, t := range s.config.Topologies {
		v := s.topologies[t.Name]
		if (len(names) == 0 || slices.Contains(names, t.Name)) && !holds(&v.status) {
			missing = append(missing, v.at(now, s.phase))
		}
	}
	return missing, nil
}
