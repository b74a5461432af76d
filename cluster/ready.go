package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const explainEvery = 10 * time.Second

// Ready waits until the named topologies are ready; none named means all. A topology is
// ready when enough peers are connected (min_peers, or expect less this node) or, if no number is
// set, when its strategy has given its first complete answer. When ctx is done first, the
// error says for each topology why it is not ready.
func (s *Supervisor) Ready(ctx context.Context, topologies ...string) error {
	for {
		missing, change, err := s.notReady(topologies)
		if err != nil || len(missing) == 0 {
			return err
		}
		select {
		case <-change:
		case <-ctx.Done():
			var reasons []string
			for _, t := range missing {
				reasons = append(reasons, fmt.Sprintf("topology %s is not ready: %s", t.Name, t.Why))
			}
			return fmt.Errorf("%s: %w", strings.Join(reasons, "; "), context.Cause(ctx))
		}
	}
}

// notReady returns the topologies that are not ready, and a channel that is closed when that
// may have changed.
func (s *Supervisor) notReady(names []string) ([]TopologyStatus, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if s.topologies[name] == nil {
			return nil, nil, fmt.Errorf("no topology is named %q", name)
		}
	}
	var missing []TopologyStatus
	now := time.Now()
	for _, c := range s.config.Topologies {
		t := s.topologies[c.Name]
		if (len(names) == 0 || slices.Contains(names, c.Name)) && !t.isReady() {
			missing = append(missing, t.status(now))
		}
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return missing, s.changed, nil
}

// notifyReady wakes those who wait for readiness and tells of changes. mu is held.
func (s *Supervisor) notifyReady() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	for name, t := range s.topologies {
		if ready := t.isReady(); ready != t.wasReady {
			t.wasReady = ready
			kind, phrase := TopologyNotReady, "topology is no longer ready"
			if ready {
				kind, phrase = TopologyReady, "topology is ready"
			}
			s.log.Info(phrase, "topology", name, "why", t.status(time.Now()).Why)
			s.emit(Event{Kind: kind, Topology: name})
		}
	}
}

// explain says every 10 s why a topology is not ready, and once when an answer is stale, until
// ctx is done.
func (s *Supervisor) explain(ctx context.Context) {
	ticker := time.NewTicker(explainEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.explainOnce(now)
		}
	}
}

func (s *Supervisor) explainOnce(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.config.Topologies {
		t := s.topologies[c.Name]
		if !t.isReady() {
			s.log.Info("topology is not ready", "topology", c.Name, "why", t.status(now).Why)
		}
		if t.isStale(now) && !t.stale {
			t.stale = true
			s.log.Warn("last complete answer is stale", "topology", c.Name, "elapsed", now.Sub(t.lastSet).Round(time.Second))
			s.emit(Event{Kind: SourceStale, Topology: c.Name, Err: t.err})
		}
	}
}
