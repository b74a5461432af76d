package quorum

import (
	"sync/atomic"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Token numbers a grant of a shard: the tokens of a shard only grow, also across births. A store that refuses tokens below the greatest one
// it has seen stops a holder whose lease is over.
type Token uint64

// Hold is a shard that this member holds.
type Hold struct {
	Group string
	Shard int
	Token Token
	state *holdState
}

// Valid returns nil while this process may act on the shard, by its lease clock read now, and [ErrLost] afterwards. The clock goes on in a
// suspend and while the process is stopped, so call it before each effect; what happens between the call and the effect, only
// the token covers. It takes no lock.
func (h Hold) Valid() error {
	if h.state == nil || h.state.over.Load() || h.state.left() <= 0 {
		return ErrLost
	}
	return nil
}

// Left is for how long this process may still act on the shard, by its lease clock read now, if no answer of the leader comes; 0 if it may not. It
// goes up with each answer. It takes no lock.
func (h Hold) Left() time.Duration {
	if h.state == nil || h.state.over.Load() {
		return 0
	}
	return max(0, h.state.left())
}

// holdState is what the copies of a Hold share.
type holdState struct {
	over    atomic.Bool // the function has returned, or must not act any more
	engine  engine
	session uint64
}

// left is for how long the process may act.
func (s *holdState) left() time.Duration { return s.engine.leaseLeft(s.session) }

func newHold(e engine, group string, shard int, token core.Token, session uint64) Hold {
	return Hold{Group: group, Shard: shard, Token: Token(token), state: &holdState{engine: e, session: session}}
}
