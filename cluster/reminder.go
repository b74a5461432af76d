package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goconvoke/convoke/internal/ratelog"
)

const reportEvery = 10 * time.Second

// reportLoop logs why topologies are not whole, and answers that become stale, until ctx is done. It reads what is published.
func (s *Supervisor) reportLoop(ctx context.Context) {
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	reminders := make(map[string]*topologyReminder)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			reminders = s.remind(reminders, s.Status(), now)
		}
	}
}

// topologyReminder is what reportLoop has logged of one topology.
type topologyReminder struct {
	broken reminder  // why it is not whole
	stale  time.Time // LastSet of the answer that was reported as stale
}

// remind logs what is due, and returns the reminders of the topologies that there are.
func (s *Supervisor) remind(before map[string]*topologyReminder, status Status, now time.Time) map[string]*topologyReminder {
	after := make(map[string]*topologyReminder)
	for _, t := range status.Topologies {
		m := before[t.Name]
		if m == nil {
			m = &topologyReminder{}
		}
		after[t.Name] = m
		if t.Whole {
			m.broken.substance = ""
		} else if m.broken.due(substance(t), now) {
			phrase := "topology has not formed yet"
			if t.Formed {
				phrase = "topology is not whole"
			}
			s.reporter.info(phrase, "topology", t.Name, "why", t.Why)
		}
		if t.Stale && !m.stale.Equal(t.LastSet) {
			m.stale = t.LastSet
			s.reporter.warn("last complete answer is stale", "topology", t.Name, "elapsed", now.Sub(t.LastSet).Round(time.Second))
			s.feed.emit(Event{Kind: EventSourceStale, Topology: t.Name, Err: t.Err})
		}
	}
	return after
}

// reminder decides when to repeat what does not change: at once when its substance is another, else after 10 s doubling to
// 10 minutes. A substance that changes all the time is logged ever more rarely too.
type reminder struct {
	substance string // as logged; "" when there is nothing to repeat
	changes   ratelog.Pacer
	repeats   ratelog.Pacer
}

func (r *reminder) due(substance string, now time.Time) bool {
	if substance != r.substance && !now.Before(r.changes.Next()) {
		r.changes.Passed(now)
		r.substance = substance
	} else if now.Before(r.repeats.Next().Add(-reportEvery / 2)) { // ticks come a little early or late
		return false
	}
	r.repeats.Passed(now)
	return true
}

// substance is what must change for another line about a topology that is not whole: what [why] reports, apart from
// times, attempts, numbers of peers that do not matter to readiness, and numbers within errors, such as the ports
// that a system chooses.
func substance(t TopologyStatus) string {
	progress := ""
	if t.MinPeers > 0 {
		progress = fmt.Sprint(t.Expect, t.MinPeers, t.Connected, t.Wanted < t.MinPeers)
	}
	return fmt.Sprint(t.State, progress, t.LastSet.IsZero(), t.EmptyHeld > 0, t.Leaving,
		"|", withoutDigits(t.Err), "|", withoutDigits(t.ListErr), "|", withoutDigits(t.Handover))
}

// withoutDigits makes errors equal that differ in ports, times and counts alone: the reason is the same.
func withoutDigits(err error) string {
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
