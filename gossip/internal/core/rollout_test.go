package core

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var large = flag.Bool("large", false, "run what takes minutes: a table of 1,000 members over 60 days")

// rollout feeds a core with the records of members that hang on one neighbour, link 1 to "b", and are replaced one after the other.
type rollout struct {
	*loner
	hub     uint64 // version of b's record
	members []string
	beatAt  time.Time
}

// start has a member come, in the place of another one that leaves or dies unless it is "".
func (r *rollout) start(name, old string, left bool) {
	hub := RecordDelta{Node: HashID("b"), Generation: 1, From: r.hub, Floor: r.hub}
	var records []RecordDelta
	if old != "" {
		hub.Links = append(hub.Links, Link(HashID(old), r.hub+1, true))
		if left {
			records = append(records, RecordDelta{Node: HashID(old), Generation: 1, From: 2, To: 3, Entries: []Entry{{Kind: KindMeta, Key: MetaLeft, Version: 3}}})
		}
	}
	hub.Links = append(hub.Links, Link(HashID(name), r.hub+2, false))
	hub.To, r.hub = r.hub+2, r.hub+2
	r.answer(r.receive(1, &Delta{Records: append(records, recordOf(name, 0, "b"), hub)}))
}

// answer refuses the dials among outputs, so that b stays the only neighbour.
func (r *rollout) answer(out []Output) {
	for _, o := range out {
		if d, ok := o.(Dial); ok {
			r.answer(r.do(DialFailed{Attempt: d.Attempt, Refused: true}))
		}
	}
}

// wait passes time, with heartbeats of b.
func (r *rollout) wait(d time.Duration) {
	for end := r.now.Add(d); r.now.Before(end); {
		r.now = r.NextTick()
		r.answer(r.do(Tick{}))
		if !r.now.Before(r.beatAt) {
			r.beatAt = r.now.Add(r.cfg.Heartbeat)
			r.answer(r.receive(1, &Beat{Wanted: true, Hash: r.Hash()}))
		}
	}
}

// All members, a thousand with -large, are replaced daily, one after the other, half of them without leaving, for sixty days. The intervals of the protocol are
// sixty times as long as by default, so that a test can wait for them; a day and ForgetAfter, 72 hours, are what they are.
func TestATableOfMembersReplacedDailyKeepsThoseOfThreeDays(t *testing.T) {
	t.Parallel()
	n, days := 100, 60
	if *large {
		n = 1000
	}
	r := &rollout{hub: 2, loner: newLoner(func(c *Config) {
		c.Heartbeat, c.Silence, c.DialTimeout, c.DialCap = time.Minute, 5*time.Minute, time.Minute, 10*time.Minute
		c.Coalesce, c.Relax, c.Hold, c.Tombstone = 600*time.Millisecond, 30*time.Second, time.Minute, time.Hour
	})}
	r.meet(1, "b")
	for i := range n - 2 {
		r.members = append(r.members, fmt.Sprintf("d00-%04d", i))
		r.start(r.members[i], "", false)
	}
	r.wait(time.Minute)
	most := 0
	for day := range days {
		for i, old := range r.members {
			r.members[i] = fmt.Sprintf("d%02d-%04d", day+1, i)
			r.start(r.members[i], old, i%2 == 0)
			r.wait(24 * time.Hour / time.Duration(len(r.members)))
			most = max(most, r.Known())
		}
		if up := r.UpCount(); up != n {
			t.Fatalf("after %d days %d members are up, want %d", day+1, up, n)
		}
	}
	t.Logf("%d members replaced daily for %d days: at most %d records, %d places", n, days, most, len(r.store.slots))
	if bound := 42 * n / 10; most > bound {
		t.Errorf("the table had %d records, want at most %d", most, bound)
	}
}
