package quorum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// settleBirth takes part in the founding, or publishes the birth that this member belongs to already, and hands a new birth to the loop.
func (l *life) settleBirth(ctx context.Context) {
	known := l.id.birth
	if known.ID != "" {
		_ = l.publishBirth(ctx, known) // an error is the end of the life
	}
	if l.q.config.Birth.arbiter != nil {
		if known.ID != "" && l.id.saved.Birth == 0 {
			l.join(ctx, known)
		}
		l.arbitrate(ctx, known)
		return
	}
	if l.id.voter != 0 {
		form, err := l.q.config.Node.Form(ctx, l.formation(known.ID))
		if err != nil {
			l.q.log.Error("this member cannot take part in the founding of the quorum", "err", err)
			return
		}
		defer form.Close()
		l.q.report.setFormation(form)
		defer l.q.report.setFormation(nil)
		if known.ID == "" {
			b, err := form.Wait(ctx)
			if err != nil {
				return // the life has ended
			}
			known.ID = b.ID
		}
	}
	if l.id.saved.Birth == 0 {
		l.join(ctx, known)
	}
	<-ctx.Done() // the formation goes on: members that come later learn of the birth by it
}

// formation is how gossip's formation finds the one founder.
func (l *life) formation(known string) gossip.FormationConfig {
	b := l.q.config.Birth
	return gossip.FormationConfig{Name: formationName, Founders: b.founders, Expect: b.expect, Known: known,
		Found: func(ctx context.Context, b gossip.Birth) error {
			self := birthVoter{strconv.FormatUint(l.id.voter, 16), l.q.config.Node.Name()}
			return l.publishBirth(ctx, birthRecord{ID: b.ID, Voters: chooseFirst(l.q.config.Node.View(), &l.q.config, self)})
		}}
}

// recordWait is how long the first voters are waited for when the birth is known already. Without them this member gets the log from the leader.
const recordWait = 2 * time.Second

// join waits for the record of a birth, any birth if known names none, and has the core begin with it.
func (l *life) join(ctx context.Context, known birthRecord) {
	if known.Voters == nil {
		known = l.awaitRecord(ctx, known)
	}
	if known.ID == "" {
		return // the life has ended
	}
	birth, err := parseBirth(known.ID)
	if err != nil {
		l.fail(err)
		return
	}
	if l.publishBirth(ctx, known) != nil {
		return // the life has ended
	}
	_ = l.ask(ctx, func() {
		l.founding = known
		l.storage.noteFounding(known)
		from, _ := parseBirth(known.CameFrom) // 0 if there was none
		l.step(core.Found{Birth: birth, Voters: known.voters(), CameFrom: from})
	})
}

// awaitRecord waits until a member that is up publishes the birth. One that has taken the place of it is returned in its place.
func (l *life) awaitRecord(ctx context.Context, known birthRecord) birthRecord {
	if known.ID != "" {
		limited, cancel := context.WithTimeout(ctx, recordWait)
		defer cancel()
		ctx = limited
	}
	for change := range l.q.config.Node.Watch(ctx) {
		if b, ok := publishedBirth(change.View); ok && (known.ID == "" || b.ID == known.ID || slices.Contains(b.Replaces, known.ID)) {
			return b
		}
	}
	return known
}

// publishBirth publishes the birth in the own record; it returns when the node has it.
func (l *life) publishBirth(ctx context.Context, b birthRecord) error {
	value, err := json.Marshal(b)
	if err != nil {
		return err
	}
	for {
		if err = ignoreNotDurable(l.q.config.Node.Set(ctx, keyBirth, string(value))); err == nil {
			return nil
		}
		if backoff.Sleep(ctx, publishRetry) != nil {
			return err
		}
	}
}

// ignoreNotDurable drops the error of a write that all members get though the disk of this one does not have it.
func ignoreNotDurable(err error) error {
	if errors.Is(err, gossip.ErrNotDurable) {
		return nil
	}
	return err
}

// lookForBirth looks for births that this member has to join, in the place of its own: one that has taken the place of its own at once, an earlier
// one, if that has a leader, when nothing is held in its own any more. An earlier one without a leader, as of a disk that was away for long, ends nothing.
func (l *life) lookForBirth(v *gossip.View) {
	own, err := parseBirth(l.founding.ID)
	if err != nil {
		l.q.report.setOthers(nil)
		l.warnOfCrowd(v)
		return // there is none yet
	}
	others := l.membersOfOthers(v)
	l.q.report.setOthers(others)
	for _, m := range others {
		b, _ := birthOf(m)
		if slices.Contains(l.founding.Replaces, b.ID) {
			continue
		}
		_, leads := m.Get(keyLeads)
		birth, _ := parseBirth(b.ID)
		l.births[birth] = b
		switch {
		case slices.Contains(b.Replaces, l.founding.ID):
			l.joinOther(b)
			return
		case leads && birth < own && !l.ending:
			l.ending = true
			l.q.log.Error("there are two births of the quorum: this one gives up all that its members hold, and they join the earlier one",
				"own", l.founding.ID, "other", b.ID, "member", m.Name)
			l.step(core.EndBirth{Older: birth})
		}
	}
}

// membersOfOthers returns the members that are up and belong to another birth.
func (l *life) membersOfOthers(v *gossip.View) (all []*gossip.Member) {
	for m := range v.All() {
		if b, ok := birthOf(m); ok && m.Up() && m.Name != l.q.config.Node.Name() && b.ID != l.founding.ID {
			all = append(all, m)
		}
	}
	return all
}

// joinOther ends the life; the next one joins another birth.
func (l *life) joinOther(b birthRecord) {
	b.CameFrom = l.founding.ID
	l.successor = &successor{birth: b, id: max(l.rng.Uint64(), 1)}
	l.q.log.Warn("this member joins another birth of the quorum", "own", l.founding.ID, "other", b.ID)
	l.fail(errOtherBirth)
}

// birthEnded follows the end of this birth: nothing is held in it any more.
func (l *life) birthEnded(o core.BirthEnded) {
	b, known := l.births[o.Into]
	if !known {
		for m := range l.q.config.Node.View().All() {
			if r, ok := birthOf(m); ok {
				if id, _ := parseBirth(r.ID); id == o.Into {
					b, known = r, true
				}
			}
		}
	}
	if !known {
		l.fail(fmt.Errorf("%w: no member that is known publishes birth %x", errOtherBirth, uint64(o.Into)))
		return
	}
	l.joinOther(b)
}
