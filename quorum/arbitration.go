package quorum

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
)

const (
	arbiterTimeout = 10 * time.Second // for one question to the arbiter
	arbiterLeast   = time.Second      // between two questions before the birth is settled
	arbiterMost    = 30 * time.Second // the same while the arbiter does not answer
	arbiterEvery   = 5 * time.Minute  // and after it: so long a deletion goes unnoticed
	// foundingPatience is how long the founder waits for as many members as there should be voters: a single one that is lost at once would take the
	// birth with it.
	foundingPatience = 10 * time.Second
)

// arbitration is the founding by an arbiter, and what one life knows of it. One goroutine owns it.
type arbitration struct {
	l       *life
	arbiter Arbiter
	known   birthRecord // that this member belongs to, zero before there is one
	began   time.Time
	agreed  bool // the arbiter has the birth of this member, or had it
	silent  int  // questions in a row without an answer
}

// arbitrate settles the birth with the arbiter and keeps the text there until ctx ends.
func (l *life) arbitrate(ctx context.Context, known birthRecord) {
	a := arbitration{l: l, arbiter: l.q.config.Birth.arbiter, known: known, began: time.Now()}
	defer l.q.report.setMissing("")
	for {
		wait, err := a.guardedAsk(ctx)
		switch {
		case errors.Is(err, ErrBirth):
			l.fail(err)
			return
		case err != nil:
			wait = a.unanswered(ctx, err)
		default:
			a.silent = 0
		}
		if backoff.Sleep(ctx, backoff.Jitter(nil, wait, 0.2)) != nil {
			return
		}
	}
}

// unanswered goes by what other members publish while the arbiter does not answer, and returns when to ask again.
func (a *arbitration) unanswered(ctx context.Context, err error) time.Duration {
	a.silent++
	if a.silent == 1 && ctx.Err() == nil {
		a.l.q.log.Warn("the arbiter of the birth cannot be asked; it is tried again", "arbiter", a.arbiter, "error", err)
	}
	if a.known.ID == "" {
		a.l.q.report.setMissing(fmt.Sprintf("%v cannot be asked: %v", a.arbiter, err))
		if b, ok := publishedBirth(a.l.q.config.Node.View()); ok {
			a.adopt(ctx, b)
		}
	}
	return backoff.Doubling(arbiterLeast, arbiterMost, a.silent)
}

// guardedAsk asks once. A panic of the arbiter, which may be the program's, counts as no answer.
func (a *arbitration) guardedAsk(ctx context.Context) (_ time.Duration, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
			a.l.q.log.Error("the arbiter panicked", "error", err, "stack", string(debug.Stack()))
		}
	}()
	return a.ask(ctx)
}

// ask reads the text once, does what follows from it, and returns when to ask again.
func (a *arbitration) ask(ctx context.Context) (time.Duration, error) {
	limited, cancel := context.WithTimeout(ctx, arbiterTimeout)
	defer cancel()
	text, version, err := a.arbiter.Read(limited)
	if err != nil {
		return 0, err
	}
	var there birthRecord
	if text != "" {
		if there, err = parseNote([]byte(text), a.l.q.config.Node.ClusterID()); err != nil {
			return arbiterEvery, a.contradicted(fmt.Errorf("%v: %w", a.arbiter, err))
		}
	}
	switch {
	case a.known.ID == "" && there.ID == "":
		return arbiterLeast, a.propose(limited)
	case a.known.ID == "":
		a.adopt(ctx, there)
		a.agreed = true
		return arbiterEvery, nil
	case a.known.ID == there.ID:
		a.agreed = true
		a.l.q.report.setArbiter("")
		return arbiterEvery, nil
	case there.ID == "":
		a.l.q.log.Warn("the arbiter has lost the birth of the quorum, or never had it: it is written again", "arbiter", a.arbiter, "birth", a.known.ID)
		return arbiterLeast, a.write(limited, a.known, version)
	case slices.Contains(a.known.Replaces, there.ID), a.known.CameFrom == there.ID:
		return arbiterLeast, a.write(limited, a.known, version)
	case slices.Contains(there.Replaces, a.known.ID):
		return arbiterLeast, nil // its members are met in the cluster, see lookForBirth
	}
	return arbiterEvery, a.contradicted(fmt.Errorf("%w: %v has %s and this member belongs to %s; if the first one is right, empty the directory of this member's quorum, "+
		"otherwise delete the text there and start this member again", ErrBirth, a.arbiter, there.ID, a.known.ID))
}

// contradicted takes that the arbiter has something else than this member belongs to. With ErrBirth the member ends, unless they agreed before: then
// the text was overwritten, and what works goes on.
func (a *arbitration) contradicted(err error) error {
	if !a.agreed {
		return err
	}
	a.l.q.report.setArbiter(err.Error())
	a.l.q.log.Error("the arbiter has something else than it had; this member goes on with its birth", "arbiter", a.arbiter, "birth", a.known.ID, "error", err)
	return nil
}

// propose writes a birth of this member, if this one may found it and sees enough others. What others publish comes before it.
func (a *arbitration) propose(ctx context.Context) error {
	l, v := a.l, a.l.q.config.Node.View()
	if b, ok := publishedBirth(v); ok {
		a.adopt(ctx, b)
		return nil
	}
	if l.id.voter == 0 {
		l.q.report.setMissing("this member waits for those that may vote to found it")
		return nil
	}
	self := birthVoter{strconv.FormatUint(l.id.voter, 16), l.q.config.Node.Name()}
	b := birthRecord{ID: laterBirth(self.Name, 0, rand.Uint64()), Voters: chooseFirst(v, &l.q.config, self)}
	if n, wanted := len(b.Voters), l.q.config.Voters; n < wanted && time.Since(a.began) < foundingPatience {
		l.q.report.setMissing(fmt.Sprintf("this member waits for others that may vote, %v at most: %d of %d are there", foundingPatience, n, wanted))
		return nil
	}
	if err := a.write(ctx, b, ""); err != nil {
		return err
	}
	l.q.log.Info("this member has founded the quorum", "arbiter", a.arbiter, "birth", b.ID, "voters", len(b.Voters))
	return nil // it is read and adopted as by any other member
}

// write keeps a birth at the arbiter. That another member was faster shows when it is read again.
func (a *arbitration) write(ctx context.Context, b birthRecord, version string) error {
	text, err := noteOf(b, a.l.q.config.Node.ClusterID())
	if err == nil {
		err = a.arbiter.Write(ctx, string(text), version)
	}
	if errors.Is(err, ErrConflict) {
		return nil
	}
	a.agreed = a.agreed || err == nil
	return err
}

// adopt joins a birth.
func (a *arbitration) adopt(ctx context.Context, b birthRecord) {
	b.CameFrom = "" // of the member that published it
	a.known = b
	a.l.q.report.setMissing("")
	a.l.join(ctx, b)
}
