package quorum

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// post implements engine. What a group serves outlives a life; what functions return is counted in any.
func (q *Quorum) post(in core.Input) error {
	q.mu.Lock()
	switch in := in.(type) {
	case core.Serve:
		q.serves[in.Group.Name] = in
		if in.Group.Weight == 0 {
			delete(q.serves, in.Group.Name)
		}
	case core.Stopped:
		if k := (workKey{in.Group, in.Shard}); q.running[k] == in.Token {
			delete(q.running, k)
			close(q.returned)
			q.returned = make(chan struct{})
		}
	}
	q.mu.Unlock()
	if q.ctx.Err() != nil {
		return ErrStopped
	}
	if l := q.life.Load(); l != nil {
		l.take(in)
	}
	return nil
}

// request implements engine.
func (q *Quorum) request(ctx context.Context, in core.Request) (core.Result, error) {
	began := time.Now()
	ctx, end := q.traceRequest(ctx, in)
	r, err := q.sendRequest(ctx, in)
	end(r.Code, err)
	q.count.note(r.Code, err, time.Since(began))
	return r, err
}

func (q *Quorum) sendRequest(ctx context.Context, in core.Request) (core.Result, error) {
	result := make(chan core.Result, 1)
	id := q.ids.Add(1)
	l := q.life.Load()
	if l == nil || !l.expect(id, result) {
		if q.ctx.Err() != nil {
			return core.Result{}, ErrStopped
		}
		return core.Result{ID: id, Code: core.NoLeader}, nil
	}
	l.take(in.WithID(id))
	select {
	case r := <-result:
		return r, nil
	case <-ctx.Done():
		l.forget(id)
		return core.Result{}, context.Cause(ctx)
	case <-q.ended:
		return core.Result{}, ErrStopped
	}
}

// expect notes where the result of a request goes; false if the life has ended.
func (l *life) expect(id uint64, result chan core.Result) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests == nil {
		return false
	}
	l.requests[id] = result
	return true
}

func (l *life) forget(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.requests, id)
}

// register implements engine.
func (q *Quorum) register(group string, r receiver) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.receivers[group] != nil {
		return false
	}
	q.receivers[group] = r
	return true
}

// unregister implements engine.
func (q *Quorum) unregister(group string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.receivers, group)
}

// leaseLeft implements engine.
func (q *Quorum) leaseLeft(session uint64) time.Duration {
	lease := q.lease.Load()
	if lease == nil || lease.Session != session || q.ctx.Err() != nil {
		return 0
	}
	return lease.Until - q.clock.now().Lease
}

// table implements engine.
func (q *Quorum) table() (*core.TableView, <-chan struct{}) { return q.now.get() }

// served returns what is asked of all groups, by name.
func (q *Quorum) served() []core.Serve {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := slices.Collect(maps.Values(q.serves))
	slices.SortFunc(all, func(a, b core.Serve) int { return strings.Compare(a.Group.Name, b.Group.Name) })
	return all
}

// startWork hands a start to its receiver, which gets none after unregister; false if there is no receiver.
func (q *Quorum) startWork(o core.Start, session uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.receivers[o.Group]
	if r == nil {
		return false
	}
	q.running[workKey{o.Group, o.Shard}] = o.Token
	r.start(o.Shard, o.Token, session)
	return true
}

// stopWork ends the context of a function.
func (q *Quorum) stopWork(o core.Stop) {
	if r := q.receiver(o.Group); r != nil {
		r.stop(o.Shard, o.Token, o.Lost)
	}
}

// prepare has a member prepare for a shard, or not any more.
func (q *Quorum) prepare(o core.Standby) {
	if r := q.receiver(o.Group); r != nil {
		r.standby(o.Shard, o.On)
	}
}

// refuse reports that a group has other settings.
func (q *Quorum) refuse(o core.Refused) {
	if r := q.receiver(o.Group); r != nil {
		r.refused(o.Have)
	}
}

func (q *Quorum) receiver(group string) receiver {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.receivers[group]
}

// receivedFrame takes a frame of a member.
func (q *Quorum) receivedFrame(from string, f core.Frame) bool {
	l := q.life.Load()
	return l != nil && l.take(core.Received{From: from, Frame: f})
}

// streamDown takes the loss of frames to a member.
func (q *Quorum) streamDown(peer string) {
	if l := q.life.Load(); l != nil {
		l.take(core.LinkDown{Peer: peer})
	}
}
