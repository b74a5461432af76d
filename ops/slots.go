package ops

import "sync/atomic"

// slots bounds how many there are of something at a time.
type slots struct {
	limit int64
	used  atomic.Int64
}

// take takes a slot; release gives it back. ok is false if there is none.
func (s *slots) take() (release func(), ok bool) {
	if s.used.Add(1) > s.limit {
		s.used.Add(-1)
		return nil, false
	}
	return func() { s.used.Add(-1) }, true
}
