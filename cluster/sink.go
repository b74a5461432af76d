package cluster

import (
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

var _ strategy.Sink = (*sink)(nil)

// sink takes the answers of one run of a strategy. Those that come after the run ended, or
// after another runner took over, are dropped.
type sink struct {
	r      *runner
	closed bool // guarded by the supervisor's mu
}

func (k *sink) Set(all []peer.Peer) {
	peers, err := canonical(all)
	k.take(func(t *topology, now time.Time) bool {
		if err != nil {
			return k.partial(t, peers, err, now)
		}
		news := t.group.ledger.Set(t.settings.Name, peers, now)
		t.answered(now)
		k.noteLeaving(t)
		return news
	})
}

func (k *sink) Add(some []peer.Peer) {
	peers, err := canonical(some)
	k.take(func(t *topology, now time.Time) bool { return k.partial(t, peers, err, now) })
}

func (k *sink) Fail(err error) {
	if err == nil {
		err = errors.New("the strategy reported a failure without an error")
	}
	s := k.r.t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t := k.r.t; {
	case k.closed:
	case k.r == t.current:
		t.fail(err)
	case k.r == t.pending:
		t.pendingErr = err
	}
}

func (k *sink) close() {
	s := k.r.t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	k.closed = true
}

// take lets an answer in. The first one of a changed strategy ends the strategy before it.
func (k *sink) take(apply func(t *topology, now time.Time) (news bool)) {
	t := k.r.t
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	switch {
	case k.closed || k.r != t.current && k.r != t.pending:
		return
	case k.r == t.pending:
		t.current.stop()
		t.current, t.pending, t.pendingErr = k.r, nil, nil
		t.s.log.Info("changed strategy took over", "topology", t.settings.Name, "strategy", k.r.config.Kind)
	}
	t.state = Running
	if apply(t, time.Now()) {
		t.group.wakeUp()
	}
	t.s.notifyStatus()
}

// partial takes an answer that is not complete, with the reason, if any. mu is held.
func (k *sink) partial(t *topology, peers []peer.Peer, err error, now time.Time) bool {
	if wanted, _ := t.group.ledger.Counts(t.settings.Name); wanted+len(peers) > maxPeers {
		peers, err = nil, errTooMany
	}
	t.lastAdd = now
	news := t.group.ledger.Add(t.settings.Name, peers, now)
	if err != nil {
		t.fail(err)
	}
	return news
}

// noteLeaving reports when this node appears to have been removed from the source. mu is held.
func (k *sink) noteLeaving(t *topology) {
	leaving := t.group.ledger.Leaving(t.settings.Name)
	if leaving && !t.leaving {
		t.s.log.Warn("this node is no longer in the answers; it dials no peer until it is listed again",
			"topology", t.settings.Name)
		t.s.emit(Event{Kind: SelfMissing, Topology: t.settings.Name})
	}
	t.leaving = leaving
}

var errTooMany = fmt.Errorf("an answer with more than %d peers is not believed", maxPeers)

// canonical brings the addresses into canonical form, in a slice of its own if any is not. Peers whose address makes
// no sense are left out and named in the error.
func canonical(peers []peer.Peer) ([]peer.Peer, error) {
	if len(peers) > maxPeers {
		return nil, errTooMany
	}
	kept := peers[:0:len(peers)] // the slice is the sink's own
	var bad []error
	for _, p := range peers {
		addr, err := peer.Addr(p.Addr)
		if err != nil {
			if len(bad) < 3 {
				bad = append(bad, err)
			}
			continue
		}
		p.Addr = addr
		kept = append(kept, p)
	}
	if left := len(peers) - len(kept); left > 0 {
		return kept, fmt.Errorf("%d of %d peers left out: %w", left, len(peers), errors.Join(bad...))
	}
	return kept, nil
}
