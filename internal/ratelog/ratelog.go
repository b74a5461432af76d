// Package ratelog decides how often a message that can come at any rate is logged: what the whole world can cause must not fill a
// disk.
package ratelog

import (
	"cmp"
	"sync"
	"time"
)

// maxMessages bounds the messages that a limiter remembers, because their names may hold text from outside.
const maxMessages = 1000

// Limiter allows a message once, and again when Every has passed since it was last allowed. The zero value allows each once. Its
// methods may be called from any goroutine.
type Limiter struct {
	Every time.Duration // 0 means never again
	Most  int           // messages that are remembered; all beyond count as one of their kind; 0 means 1000

	mu    sync.Mutex
	known map[message]*count
	swept time.Time // when known was last searched for messages that are due again
}

// message is what a limiter distinguishes: the kind, and what it is about.
type message struct{ kind, subject string }

// count is how often a message came since a time: when it was last allowed, or first came.
type count struct {
	since   time.Time
	times   int // since then
	held    int // earlier, and not allowed
	allowed bool
}

// Allow reports whether the message with this key is logged now.
func (l *Limiter) Allow(key string, now time.Time) bool {
	_, ok := l.AllowCount(key, now)
	return ok
}

// AllowCount reports whether the message with this key is logged now and, if so, how often it was held back since the last time.
func (l *Limiter) AllowCount(key string, now time.Time) (held int, ok bool) {
	return l.AllowAfter(1, "", key, now)
}

// AllowAfter is AllowCount for a message of a kind about a subject that is normal unless it comes so many times within Every. Kinds
// must be few and constant: when the bound is reached, all further subjects of a kind share one entry.
func (l *Limiter) AllowAfter(times int, kind, subject string, now time.Time) (held int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.findLocked(message{kind, subject}, now)
	if l.Every > 0 && now.Sub(c.since) >= l.Every {
		*c = count{since: now, held: c.held + c.times}
	}
	if c.times++; c.allowed || c.times < times {
		return 0, false
	}
	held = c.held + c.times - 1
	*c = count{since: now, allowed: true}
	return held, true
}

// findLocked returns the count of a message, a new one if it is not known.
func (l *Limiter) findLocked(m message, now time.Time) *count {
	c := l.known[m]
	if c == nil && len(l.known) >= cmp.Or(l.Most, maxMessages) {
		if l.sweepLocked(now); len(l.known) >= cmp.Or(l.Most, maxMessages) {
			m.subject = ""
			c = l.known[m]
		}
	}
	if c == nil {
		c = &count{since: now}
		if l.known == nil {
			l.known = make(map[message]*count)
		}
		l.known[m] = c
	}
	return c
}

// sweepLocked removes the messages that are due again. It goes over all of them, so a flood of new messages makes it do so ten times in
// Every at most.
func (l *Limiter) sweepLocked(now time.Time) {
	if l.Every <= 0 || now.Sub(l.swept) <= l.Every/10 {
		return
	}
	l.swept = now
	for m, c := range l.known {
		if now.Sub(c.since) >= l.Every {
			delete(l.known, m)
		}
	}
}
