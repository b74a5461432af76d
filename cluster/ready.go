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
// error gives for each topology the reason why it is not ready.
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

// notifyReady wakes those who wait for readiness and reports changes. mu is held.
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

// keepLogging logs why topologies are not ready, answers that become stale, and what was noted of peers, until ctx is done.
func (s *Supervisor) keepLogging(ctx context.Context) {
	ticker := time.NewTicker(explainEvery)
	defer ticker.Stop()
	notices := time.NewTimer(explainEvery)
	defer notices.Stop()
	for {
		select {
		case <-ctx.Done():
			s.logNotices(time.Now(), true)
			return
		case now := <-ticker.C:
			s.explain(now)
		case <-s.notices.wake:
		case <-notices.C:
		}
		notices.Stop()
		if next := s.logNotices(time.Now(), false); !next.IsZero() {
			notices.Reset(time.Until(next))
		}
	}
}

// explain logs why topologies are not ready, and once when an answer is stale.
func (s *Supervisor) explain(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.config.Topologies {
		t := s.topologies[c.Name]
		if t.isReady() {
			t.unready = reminder{}
		} else if ts := t.status(now); t.unready.due(substance(ts), now) {
			s.log.Info("topology is not ready", "topology", c.Name, "why", ts.Why)
		}
		if t.isStale(now) && !t.stale {
			t.stale = true
			s.log.Warn("last complete answer is stale", "topology", c.Name, "elapsed", now.Sub(t.lastSet).Round(time.Second))
			s.emit(Event{Kind: SourceStale, Topology: c.Name, Err: t.err})
		}
	}
}

// reminder decides when to repeat what does not change: at once when its substance is another, else after 10 s doubling to
// 10 minutes. A substance that changes all the time is logged ever more rarely too.
type reminder struct {
	substance string
	next      time.Time
	gap       time.Duration
	changes   pacer
}

func (r *reminder) due(substance string, now time.Time) bool {
	switch {
	case substance != r.substance && !now.Before(r.changes.next()):
		r.changes.passed(now)
		r.substance, r.gap = substance, r.changes.gap
	case now.Before(r.next):
		return false
	default:
		r.gap = min(2*r.gap, maxLogGap)
	}
	r.next = now.Add(r.gap - explainEvery/2) // ticks come a little early or late
	return true
}

// substance is what must change for another line about a topology that is not ready: what [why] reports, apart from
// times, attempts, numbers of peers that do not matter to readiness, and numbers within errors, such as the ports
// that a system chooses.
func substance(t TopologyStatus) string {
	words := func(err error) string {
		if err == nil {
			return ""
		}
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, err.Error())
	}
	progress := ""
	if t.MinPeers > 0 {
		progress = fmt.Sprint(t.Expect, t.MinPeers, t.Connected, t.Wanted < t.MinPeers)
	}
	return fmt.Sprint(t.State, progress, t.LastSet.IsZero(), t.EmptyHeld > 0, t.Leaving,
		"|", words(t.Err), "|", words(t.ListErr), "|", words(t.Handover))
}
