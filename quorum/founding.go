package quorum

import (
	"context"
	"encoding/json"
	"errors"
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
		l.step(core.Found{Birth: birth, Voters: known.voters()})
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

// switchAfter is for how long the members must belong to another birth before this one joins it: views settle meanwhile.
const switchAfter = 10 * time.Second

// lookForBirth ends this life if the members that are up belong to another birth that counts for more, and do so for a while.
func (l *life) lookForBirth(v *gossip.View) {
	b, ok := publishedBirth(v)
	_ = l.ask(context.Background(), func() {
		own := l.founding
		switch {
		case !ok || own.ID == "" || b.ID == own.ID || slices.Contains(own.Replaces, b.ID):
			l.other = birthRecord{}
		case l.other.ID != b.ID:
			l.other, l.otherSince = b, time.Now()
			l.q.log.Error("there are two births of the quorum: unless they part again, this member gives up its own and joins the other", "own", own.ID, "other", b.ID, "after", switchAfter)
		}
	})
}

// switchDue ends the life when it is time to join another birth.
func (l *life) switchDue() {
	if l.other.ID != "" && time.Since(l.otherSince) >= switchAfter {
		l.successor = &successor{birth: l.other, id: max(l.rng.Uint64(), 1)}
		l.fail(errOtherBirth)
	}
}
