package quorum

import "errors"

// Quorum is temporary.
type Quorum struct{ p *parts }

func (q *Quorum) parts() *parts { return q.p }

var ErrStopped = errors.New("quorum: stopped")
