package gossip

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// maxHandshakes bounds the inbound handshakes that run at once, keptHandshakes how many more there can be of hosts at which members
	// are known to live.
	maxHandshakes  = 256
	keptHandshakes = 64
	// maxWaiting bounds the inbound streams that wait for their handshake to begin.
	maxWaiting = 1024
	// maxWait is how long they do: a node that dials gives up soon after.
	maxWait = 2500 * time.Millisecond
	// fairTime is how long a handshake may take, at least, before it is ended for the sake of another stream of the same host. It
	// takes some milliseconds, on a machine that is very busy some hundred.
	fairTime = time.Second
)

var (
	errBusy    = errors.New("too many handshakes at once")
	errEvicted = errors.New("the handshake was not finished when others needed its place")
)

// handshakeLimit bounds the inbound handshakes and shares their places fairly between hosts: a stream costs its sender nothing, so
// a host that opens many must not keep others out.
//
// A newcomer that finds no place takes that of the oldest handshake of the host with the most, if that has more than its own host; or
// it waits until a place is free, or a handshake of its host has had fairTime. Hosts of members come first.
type handshakeLimit struct {
	limit, kept int

	mu      sync.Mutex
	running []*handshake // in the order of their beginning
	waiting []*handshake // in the order of their arrival
	timer   *time.Timer  // evicts for those that wait; nil: it does not run
}

// handshake is one that runs or waits.
type handshake struct {
	host   string
	member bool // a member lives at the host
	began  time.Time
	end    context.CancelCauseFunc // ends it early, with errEvicted or errBusy
	start  chan struct{}           // closed when it gets its place
}

func newHandshakeLimit(limit, kept int) *handshakeLimit {
	return &handshakeLimit{limit: limit, kept: kept}
}

// enter waits for a place for a stream of a host and returns the context of its handshake. If there was an error, it is why there is
// no place; otherwise leave must follow.
func (l *handshakeLimit) enter(ctx context.Context, host string, member bool) (context.Context, *handshake, error) {
	ctx, end := context.WithCancelCause(ctx)
	h := &handshake{host: host, member: member, end: end, start: make(chan struct{})}
	l.admitOrWait(h)
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-h.start:
		return ctx, h, nil
	case <-timer.C:
		end(errBusy)
	case <-ctx.Done():
	}
	l.leave(h)
	return nil, nil, context.Cause(ctx)
}

// leave gives a place free.
func (l *handshakeLimit) leave(h *handshake) {
	h.end(nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeLocked(h)
	l.fillLocked()
}

// admitOrWait gives a newcomer a place, or has it wait. When too many wait, the last one of the host with the most is turned away.
func (l *handshakeLimit) admitOrWait(h *handshake) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, h)
	l.fillLocked()
	if len(l.waiting) <= maxWaiting {
		return
	}
	most := mostOf(l.waiting)
	for _, w := range slices.Backward(l.waiting) {
		if w.host == most {
			w.end(errBusy)
			l.removeLocked(w)
			return
		}
	}
}

// fillLocked starts handshakes that wait, as long as there are places or handshakes to evict for them.
func (l *handshakeLimit) fillLocked() {
	for len(l.waiting) > 0 {
		next := l.nextLocked()
		if !l.hasRoomLocked(next) {
			victim := l.victimLocked(next)
			if victim == nil {
				l.wakeLocked()
				return
			}
			victim.end(errEvicted)
			l.removeLocked(victim)
		}
		l.removeLocked(next)
		l.running = append(l.running, next)
		next.began = time.Now()
		close(next.start)
	}
}

// wakeLocked has evictions tried again when the oldest handshake has had its time.
func (l *handshakeLimit) wakeLocked() {
	if l.timer != nil {
		return
	}
	wait := max(time.Until(l.running[0].began.Add(fairTime)), 10*time.Millisecond)
	l.timer = time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.timer = nil
		l.fillLocked()
	})
}

func (l *handshakeLimit) hasRoomLocked(h *handshake) bool {
	if h.member {
		return len(l.running) < l.limit+l.kept
	}
	return len(l.running) < l.limit
}

// nextLocked returns the one that waits whose turn it is: members before others, then the host with the fewest handshakes, then the
// oldest.
func (l *handshakeLimit) nextLocked() *handshake {
	running := countHosts(l.running)
	var best *handshake
	for _, w := range l.waiting {
		if best == nil || w.member && !best.member || w.member == best.member && running[w.host] < running[best.host] {
			best = w
		}
	}
	return best
}

// victimLocked returns the handshake that is to make room for another one, nil if there is none. A member's is ended only for another
// member's.
func (l *handshakeLimit) victimLocked(h *handshake) *handshake {
	pool := slices.DeleteFunc(slices.Clone(l.running), func(r *handshake) bool { return r.member })
	if len(pool) == 0 && h.member {
		pool = l.running
	}
	most := mostOf(pool)
	i := slices.IndexFunc(pool, func(r *handshake) bool { return r.host == most })
	if i < 0 {
		return nil
	}
	oldest, running := pool[i], countHosts(l.running)
	if h.member && !oldest.member || running[h.host]+1 < running[most] || time.Since(oldest.began) >= fairTime {
		return oldest
	}
	return nil
}

// removeLocked removes one from those that run or wait, if it is there.
func (l *handshakeLimit) removeLocked(h *handshake) {
	same := func(o *handshake) bool { return o == h }
	l.running = slices.DeleteFunc(l.running, same)
	l.waiting = slices.DeleteFunc(l.waiting, same)
}

func countHosts(all []*handshake) map[string]int {
	count := map[string]int{}
	for _, h := range all {
		count[h.host]++
	}
	return count
}

// mostOf returns the host with the most handshakes; of several, the one that comes first.
func mostOf(all []*handshake) (host string) {
	count := countHosts(all)
	for _, h := range all {
		if count[h.host] > count[host] {
			host = h.host
		}
	}
	return host
}
