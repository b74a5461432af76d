// Package ratelog decides how often a message that can come at any rate is logged.
package ratelog

import (
	"cmp"
	"sync"
	"time"
)

// maxKeys bounds the messages that a limiter remembers, because keys may hold text from outside.
const maxKeys = 1000

// Limiter allows a message once, and again when Every has passed since it was last allowed. The zero value allows each once. Its
// methods may be called from any goroutine.
type Limiter struct {
	Every time.Duration // 0 means never again
	Most  int           // messages that are remembered; all beyond count as one; 0 means 1000

	mu    sync.Mutex
	known map[string]*message
}

// message is one that was allowed.
type message struct {
	last time.Time // when it was last allowed
	held int       // how often it was not, since then
}

// Allow reports whether the message with this key is logged now.
func (l *Limiter) Allow(key string, now time.Time) bool {
	_, ok := l.AllowCount(key, now)
	return ok
}

// AllowCount reports whether the message with this key is logged now and, if so, how often it was held back since the last time.
func (l *Limiter) AllowCount(key string, now time.Time) (held int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = make(map[string]*message)
	}
	m := l.known[key]
	if m == nil && l.fullLocked(now) {
		key = "" // all further messages share one entry
		m = l.known[key]
	}
	switch {
	case m == nil:
		l.known[key] = &message{last: now}
		return 0, true
	case l.Every <= 0 || now.Sub(m.last) < l.Every:
		m.held++
		return 0, false
	}
	held = m.held
	*m = message{last: now}
	return held, true
}

// fullLocked reports whether there is no room for another message, also after those that are due again were dropped.
func (l *Limiter) fullLocked(now time.Time) bool {
	most := cmp.Or(l.Most, maxKeys)
	if len(l.known) < most {
		return false
	}
	for key, m := range l.known {
		if l.Every > 0 && now.Sub(m.last) >= l.Every {
			delete(l.known, key)
		}
	}
	return len(l.known) >= most
}
