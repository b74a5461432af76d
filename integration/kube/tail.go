package kube

import "sync"

// tail keeps the last bytes that are written to it.
type tail struct {
	mu   sync.Mutex
	max  int
	data []byte
}

// Write takes bytes and forgets the oldest.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	t.data = t.data[max(0, len(t.data)-t.max):]
	return len(p), nil
}

// String returns what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.data)
}
