package gossip

import "sync"

// streamLimiter bounds how many inbound streams are in use at once.
type streamLimiter struct {
	limit int

	mu    sync.Mutex
	inUse int
}

// acquire reports whether there is room for one more; if so, release must follow.
func (l *streamLimiter) acquire() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inUse >= l.limit {
		return false
	}
	l.inUse++
	return true
}

func (l *streamLimiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inUse--
}
