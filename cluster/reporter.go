package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
)

const maxLines = 1024 // that wait to be written; further ones are counted

// reporter writes the log of the loops in a goroutine of its own, so that a writer that blocks stops none of them.
type reporter struct {
	out  hclog.Logger
	wake chan struct{} // of one: there is something to write, or a first notice

	mu      sync.Mutex // guards what follows
	lines   []line
	lost    int // lines, since the last one that had room
	notices notices
	turns   turns
}

type line struct {
	level hclog.Level
	text  string
	args  []any
}

func (r *reporter) init(out hclog.Logger) {
	r.out, r.wake, r.notices = out, make(chan struct{}, 1), make(notices)
	r.turns = make(turns)
}

func (r *reporter) debug(text string, args ...any) {
	if r.out.IsDebug() {
		r.write(line{hclog.Debug, text, args})
	}
}

func (r *reporter) info(text string, args ...any)  { r.write(line{hclog.Info, text, args}) }
func (r *reporter) warn(text string, args ...any)  { r.write(line{hclog.Warn, text, args}) }
func (r *reporter) error(text string, args ...any) { r.write(line{hclog.Error, text, args}) }

// write queues a line. It waits for no writer.
func (r *reporter) write(l line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writeLocked(l)
}

func (r *reporter) writeLocked(l line) {
	if len(r.lines) < maxLines {
		r.lines = append(r.lines, l)
	} else {
		r.lost++
	}
	r.signal()
}

// addNotice logs what happened to a peer of a topology, or of a connector if that is "", at level DEBUG, and counts it for the next line about many.
func (r *reporter) addNotice(kind *noticeKind, topology string, p peer.Peer, err error) {
	key := noticeKey{topology, kind}
	if r.out.IsDebug() {
		r.debug(kind.one, append(append(key.args(), "peer", p), errorArgs(err)...)...)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.notices.add(key, p, err, time.Now()) {
		r.signal()
	}
}

// turn logs that something which lasts has changed: a line of the same subject that is not logged yet is out of date then, and counted.
func (r *reporter) turn(subject string, level hclog.Level, text string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := (line{level, text, args}); r.turns.add(subject, l, time.Now()) {
		r.writeLocked(l)
	}
	r.signal()
}

func (r *reporter) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run writes what is queued and what is due until ctx is done, and then everything that is left.
func (r *reporter) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			r.flush(time.Now(), true)
			return
		case <-timer.C:
		case <-r.wake:
		}
		if next := r.flush(time.Now(), false); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// flush writes what is queued and the notices that are due, or all. It returns when the next one is due; zero if none waits.
func (r *reporter) flush(now time.Time, all bool) (next time.Time) {
	r.mu.Lock()
	lines, lost := r.lines, r.lost
	r.lines, r.lost = nil, 0
	due, next := r.notices.take(now, all)
	turned, nextTurn := r.turns.take(now, all)
	r.mu.Unlock()
	if next.IsZero() || !nextTurn.IsZero() && nextTurn.Before(next) {
		next = nextTurn
	}
	for _, l := range lines {
		r.out.Log(l.level, l.text, l.args...)
	}
	if lost > 0 {
		r.out.Warn("lines were not logged because the log was too slow", "count", lost)
	}
	for _, n := range due {
		r.out.Log(n.kind.level, n.kind.many, n.args...)
	}
	for _, l := range turned {
		r.out.Log(l.level, l.text, l.args...)
	}
	return next
}
