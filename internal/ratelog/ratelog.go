// Package ratelog decides how often a message that can come at any rate is logged.
package ratelog

import (
	"sync"
	"time"
)

// maxKeys bounds the messages that a limiter remembers, because keys may hold text from outside.
const maxKeys = 1000

// Limiter allows a message once, and again when Every has passed since it was last allowed. The zero value allows each once. Its
// methods may be called from any goroutine.
type Limiter struct {
	Every time.Duration // 0 means never again

	mu      sync.Mutex
	allowed map[string]time.Time // by key, when it was last allowed
}

// Allow reports whether the message with this key is logged now. Beyond 1000 keys that are not due again no new one is allowed.
func (l *Limiter) Allow(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.allowed[key]
	switch {
	case known && (l.Every <= 0 || now.Sub(last) < l.Every):
		return false
	case !known && len(l.allowed) >= maxKeys && !l.forgetLocked(now):
		return false
	case l.allowed == nil:
		l.allowed = make(map[string]time.Time)
	}
	l.allowed[key] = now
	return true
}

// forgetLocked drops the keys that are due again and reports whether there were any.
func (l *Limiter) forgetLocked(now time.Time) bool {
	if l.Every <= 0 {
		return false
	}
	for key, last := range l.allowed {
		if now.Sub(last) >= l.Every {
			delete(l.allowed, key)
		}
	}
	return len(l.allowed) < maxKeys
}
