package quorum

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

var (
	// errBroken ends the quorum of this process: a contract inside it broke.
	errBroken = errors.New("quorum: an internal contract broke; this member's part has ended")
	// errOtherBirth ends a life because this member has to join another birth.
	errOtherBirth = errors.New("quorum: the members belong to another birth, which this one joins")
	// errDisk ends a life because of its disk.
	errDisk = errors.New("quorum: the disk")
)

const (
	inboxSize = 1024 // inputs that wait for the loop; handing over more blocks
	stepBurst = 64   // inputs that are taken before what they changed is published
	// lostPause is between two reports that frames to a member were lost: what the core sends then may be lost again at once.
	lostPause = time.Millisecond
)

// life is this member's part from one reading of its disk to the next: mostly all of the process. One goroutine, the loop, owns the core.
type life struct {
	q         *Quorum
	began     time.Time
	core      *core.Core
	storage   *storage
	id        identity
	rng       *rand.Rand
	inbox     chan core.Input
	asks      chan func()
	views     chan *gossip.View // holds the newest
	ended     chan struct{}     // closed when the loop has ended
	queue     []core.Input      // that follow from what the loop does
	lost      map[string]bool   // members to whom frames were lost, to be reported
	changed   bool              // the table has changed in this burst
	successor *successor        // how the next life begins, nil: with what is on the disk

	failure  chan error                 // why the life ends; holds one
	founding birthRecord                // that this member belongs to; of the loop
	births   map[core.Birth]birthRecord // others that were met
	ending   bool                       // this one ends for an earlier one
	warned   bool                       // that more take part than the birth expects
	mu       sync.Mutex
	requests map[uint64]chan core.Result
}

// successor is what a life begins with in the place of what is on the disk.
type successor struct {
	saved core.Saved // empty: nothing
	id    uint64
	birth birthRecord
}

// newLife opens the storage and makes a core of what is in it.
func (q *Quorum) newLife() (*life, error) {
	storage, id, err := openStorage(q.config.DataDir, q.config.Node.ClusterID(), q.config.files, q.config.eligible(q.config.Node.Name()))
	if err != nil {
		return nil, err
	}
	if id.damage != "" {
		q.log.Error("the log of the quorum was damaged and is put aside; this member goes on as a new one", "damage", id.damage)
	}
	l := &life{q: q, began: time.Now(), storage: storage, rng: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), inbox: make(chan core.Input, inboxSize),
		asks: make(chan func()), views: make(chan *gossip.View, 1), ended: make(chan struct{}), lost: map[string]bool{},
		failure: make(chan error, 1), births: map[core.Birth]birthRecord{}, requests: map[uint64]chan core.Result{}}
	if err := l.adopt(id); err != nil {
		return nil, errors.Join(err, storage.release())
	}
	return l, nil
}

// adopt makes the core of an identity.
func (l *life) adopt(id identity) (err error) {
	l.id, l.founding = id, id.birth
	l.core, err = core.New(l.q.config.coreConfig(id), id.saved, l.rng)
	return err
}

// begin replaces what is on the disk before the life runs.
func (l *life) begin(s successor) error {
	id, err := l.storage.replace(s, l.id)
	if err == nil {
		err = l.adopt(id)
	}
	if err != nil {
		return errors.Join(err, l.storage.release())
	}
	return nil
}

// run is the loop. The error is why the life ended; nil if the quorum was stopped.
func (l *life) run() error {
	q := l.q
	ctx, cancel := context.WithCancel(q.ctx)
	var helpers sync.WaitGroup
	go l.storage.run(func(seq uint64) { l.take(core.Persisted{Seq: seq}) }, func(err error) { l.fail(fmt.Errorf("%w: %w", errDisk, err)) })
	helpers.Go(func() { l.follow(ctx) })
	helpers.Go(func() { l.settleBirth(ctx) })
	defer func() {
		close(l.ended)
		cancel()
		helpers.Wait()
		if err := l.storage.close(); err != nil {
			q.log.Warn("the log of the quorum could not be closed", "err", err)
		}
	}()
	q.publish.set(keyVoter, voterValue(l.id.voter, l.storage.log != nil))
	q.life.Store(l)
	l.step(core.Tick{})
	for _, s := range q.served() { // one that is asked for meanwhile is in the inbox
		l.step(s)
	}
	return l.loop()
}

func (l *life) loop() error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.q.ctx.Done():
			return nil
		case err := <-l.failure:
			return err
		case ask := <-l.asks:
			ask()
		case v := <-l.views:
			l.step(core.View{Members: l.readView(v)})
			l.lookForBirth(v)
		case in := <-l.inbox:
			l.step(in)
			l.burst()
		case <-timer.C:
			l.step(core.Tick{})
		}
		l.reportLost()
		l.publishTable()
		timer.Reset(l.pause())
	}
}

// pause returns how long the loop may wait for an input.
func (l *life) pause() time.Duration {
	if len(l.lost) > 0 {
		return lostPause
	}
	return max(0, l.core.NextTick()-l.q.clock.now().Running)
}

// burst takes what waits already, so that what it changes is published once.
func (l *life) burst() {
	for range stepBurst {
		select {
		case in := <-l.inbox:
			l.step(in)
		default:
			return
		}
	}
}

// take hands an input to the loop; false after its end.
func (l *life) take(in core.Input) bool {
	select {
	case l.inbox <- in:
		return true
	case <-l.ended:
		return false
	}
}

// ask runs fn on the loop and waits for it.
func (l *life) ask(ctx context.Context, fn func()) error {
	done := make(chan struct{})
	select {
	case l.asks <- func() { defer close(done); fn() }:
		<-done
		return nil
	case <-l.ended:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fail ends the life; the first reason counts.
func (l *life) fail(err error) {
	select {
	case l.failure <- err:
	default:
	}
}

// step hands an input to the core, does what that returns, and then hands over what follows from it on this loop.
func (l *life) step(in core.Input) {
	for l.queue = append(l.queue, in); len(l.queue) > 0; {
		in, l.queue = l.queue[0], l.queue[1:]
		l.act(l.core.Step(l.q.clock.now(), in))
	}
}

// reportLost hands over to which members frames were lost. What the core sends then may be lost too: that is reported the next time.
func (l *life) reportLost() {
	lost := l.lost
	l.lost = map[string]bool{}
	for peer := range lost {
		l.step(core.LinkDown{Peer: peer})
	}
}

// act carries out what the core asks for.
func (l *life) act(out []core.Output) {
	q := l.q
	for _, o := range out {
		switch o := o.(type) {
		case core.Send:
			if !q.streams.send(o.To, o.Frame) {
				l.lost[o.To] = true
			}
		case core.Persist:
			if l.storage.log == nil {
				l.queue = append(l.queue, core.Persisted{Seq: o.Seq})
			} else {
				l.storage.persist(o)
			}
		case core.Start:
			if !q.startWork(o, l.core.Session()) {
				l.queue = append(l.queue, core.Stopped(o))
			}
		case core.Stop:
			q.stopWork(o)
		case core.Standby:
			q.prepare(o)
		case core.Lease:
			if old := q.lease.Swap(&o); old == nil || old.Session != o.Session {
				l.storage.noteSession(o.Session)
			}
		case core.Lost:
			q.lease.Store(nil)
			if !q.report.leaving() {
				q.log.Warn("the lease is over: what this member held has ended; it opens a new session", "session", o.Session)
			}
		case core.Leading:
			l.leading(o.Term)
		case core.Changed:
			l.changed = true
		case core.Refused:
			q.refuse(o)
		case core.Result:
			l.answer(o)
		case core.Left:
			q.report.setLeft(o)
		case core.BirthEnded:
			l.birthEnded(o)
		case core.Rejected:
			q.streams.rejected(o)
		case core.Failed:
			q.log.Error("an internal contract of the quorum broke: this member's part ends, the node goes on", "reason", o.Reason)
			l.fail(fmt.Errorf("%w: %s", errBroken, o.Reason))
		}
	}
}

// leading publishes that this member leads, so that the others find it at once.
func (l *life) leading(term uint64) {
	if term == 0 {
		l.q.publish.set(keyLeads, "")
		l.q.log.Info("this member leads the quorum no more")
		return
	}
	l.q.publish.set(keyLeads, strconv.FormatUint(term, 10))
	l.q.log.Info("this member leads the quorum", "term", term)
}

// publishTable shows readers the newest table.
func (l *life) publishTable() {
	if l.changed {
		l.changed = false
		l.q.now.set(l.core.Snapshot())
	}
}

// answer hands over the result of a request.
func (l *life) answer(r core.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch := l.requests[r.ID]; ch != nil {
		delete(l.requests, r.ID)
		ch <- r // holds one
	}
}

// failRequests ends all requests of a life that has ended: what became of them is not known.
func (l *life) failRequests() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, ch := range l.requests {
		ch <- core.Result{ID: id, Code: core.Unknown}
	}
	l.requests = nil
}
