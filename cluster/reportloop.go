package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const explainEvery = 10 * time.Second

// reportLoop logs why topologies are not whole, answers that become stale, and what was noted of peers, until ctx is done.
func (s *Supervisor) reportLoop(ctx context.Context) {
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

// explain logs why topologies are not whole, and once when an answer is stale.
func (s *Supervisor) explain(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.config.Topologies {
		t := s.topologies[c.Name]
		if t.isWhole() {
			t.broken = reminder{}
		} else if ts := t.status(now); t.broken.due(substance(ts), now) {
			phrase := "topology has not formed yet"
			if t.formed {
				phrase = "topology is not whole"
			}
			s.log.Info(phrase, "topology", c.Name, "why", ts.Why)
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

// substance is what must change for another line about a topology that is not whole: what [why] reports, apart from
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
