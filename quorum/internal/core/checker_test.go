package core

import (
	"bytes"
	"hash/crc32"
	"time"
)

// checker holds the invariants of the quorum against everything that happens, with true time known:
//
//	I1 one leader a term
//	I2 no two valid leases on a shard at one instant
//	I3 tokens grow, by shard and over all
//	I4 states that have applied the same index are equal
//	I5 what was committed is never lost
//	I6 no renewal is answered by a leader that had been replaced when the renewal arrived
//	I7 after the last fault all shards are held soon (checked by the schedule)
//	I8 functions return before their release
type checker struct {
	s         *simulation
	leaders   map[uint64]*simNode // by term
	elections []simElection
	log       map[uint64]logged // by index: what was applied there first
	model     *state            // what the log gives
	top       Token             // the greatest token granted
	holding   map[simKey][]*simWork
	renewals  map[renewalKey]time.Duration // when they arrived
	grants    int
}

type simElection struct {
	term uint64
	at   time.Duration
}

type logged struct {
	term uint64
	sum  uint32
}

type renewalKey struct {
	at, from    string
	nonce, sent uint64
}

func newChecker(s *simulation, b Birth) *checker {
	c := &checker{s: s, leaders: map[uint64]*simNode{}, log: map[uint64]logged{}, holding: map[simKey][]*simWork{}, renewals: map[renewalKey]time.Duration{}}
	c.model = newState(b)
	c.model.table.index = 1
	return c
}

// leading checks I1.
func (c *checker) leading(n *simNode, term uint64) {
	c.s.w.Logf("%s leads in term %d", n.name, term)
	if term == 0 {
		return
	}
	if other := c.leaders[term]; other != nil {
		c.s.fail("I1", "%s and %s lead in term %d", other, n, term)
	}
	c.leaders[term] = n
	c.elections = append(c.elections, simElection{term, c.s.w.Now})
}

// applied checks I3, I4, I5 and I8 on an entry that a node has applied.
func (c *checker) applied(n *simNode, e *entry) {
	index := e.GetIndex()
	now := logged{e.GetTerm(), crc32.ChecksumIEEE(e.GetData())}
	if first, ok := c.log[index]; ok {
		if first != now {
			c.s.fail("I5", "%s applies another entry %d of term %d: the one of term %d is lost", n, index, now.term, first.term)
		}
	} else {
		c.log[index] = now
		c.follow(n, e)
	}
	if index == c.model.table.index && index%16 == 0 {
		c.compare(n)
	}
}

// compare checks I4.
func (c *checker) compare(n *simNode) {
	c.model.voters = n.core.raft.state.voters
	if a, b := c.model.encode(), n.core.raft.state.encode(); !bytes.Equal(a, b) {
		c.s.fail("I4", "the state of %s at %d is not what the log gives", n, n.applied())
	}
}

// follow applies an entry to the model.
func (c *checker) follow(n *simNode, e *entry) {
	t := c.model.table
	if e.GetIndex() != t.index+1 {
		c.s.fail("I5", "%s applies entry %d, before it only %d were", n, e.GetIndex(), t.index)
	}
	t.index = e.GetIndex()
	ops, _ := parseEntry(e.GetData())
	if e.GetType() != 0 {
		return
	}
	before := map[shardKey]Shard{}
	for i := range ops {
		if _, s := t.shard(ops[i].group, ops[i].shard); s != nil {
			before[shardKey{ops[i].group, int(ops[i].shard)}] = *s
			if ops[i].kind == opRelease && s.Token == Token(ops[i].token) && s.Holder != 0 {
				c.releases(t.group(ops[i].group).Name, int(ops[i].shard), s.Token)
			}
		}
	}
	outcomes := c.model.apply(e.GetIndex(), ops)
	c.s.history.applied(c.s.w.Now, ops, outcomes)
	for _, k := range t.takeTouched() {
		_, s := t.shard(k.group, uint64(k.shard))
		old, known := before[k]
		c.s.history.shardChanged(c.s.w.Now, k, *s)
		if !known || s.Holder == 0 || s.Token == old.Token {
			continue
		}
		c.grants++
		if s.Token <= old.Token || s.Token < c.top {
			c.s.fail("I3", "%v has token %x after %x, the greatest was %x", k, s.Token, old.Token, c.top)
		}
		c.top = max(c.top, s.Token)
	}
}

// releases checks I8.
func (c *checker) releases(group string, shard int, token Token) {
	for _, w := range c.holding[simKey{group, shard}] {
		if w.token == token && !w.stopped {
			c.s.fail("I8", "%s/%d is released with token %x, which %s still works under", group, shard, token, w.node)
		}
	}
}

// begins notes a function that begins.
func (c *checker) begins(k simKey, w *simWork) {
	for _, o := range c.holding[k] {
		if o.token >= w.token && c.s.exclusive(k.group) {
			c.s.fail("I3", "%v begins at %s with token %x after %x at %s", k, w.node, w.token, o.token, o.node)
		}
	}
	c.holding[k] = append(c.holding[k], w)
}

// holders checks I2 for what a node works on: whenever it has run, so also when it wakes up after a freeze.
func (c *checker) holders(n *simNode) {
	if len(n.works) == 0 || !n.valid() {
		return
	}
	for k := range n.works {
		if len(c.holding[k]) > 1 && c.s.exclusive(k.group) {
			c.shard(k)
		}
	}
}

// shard checks I2 for one shard and drops what has ended.
func (c *checker) shard(k simKey) {
	var valid *simWork
	kept := c.holding[k][:0]
	for _, w := range c.holding[k] {
		if w.stopped || w.life != w.node.host.Life() || !w.node.host.Running() {
			continue
		}
		kept = append(kept, w)
		if w.lost || !w.node.valid() {
			continue
		}
		if valid != nil && valid.node != w.node {
			c.s.fail("I2", "%v: %s with token %x and %s with token %x may act at one instant", k, valid.node, valid.token, w.node, w.token)
		}
		valid = w
	}
	c.holding[k] = kept
}

// current reports whether a token is the last one of a shard and its holder is entitled.
func (c *checker) current(k simKey, t Token) bool {
	g := c.model.table.byName[k.group]
	return g != nil && g.Shards[k.shard].Token == t && g.Shards[k.shard].Holder != 0
}

func (c *checker) receives(at, from *simNode, f Frame) {
	if r, ok := f.(*RenewFrame); ok {
		key := renewalKey{at.name, from.name, r.Nonce, r.Sent}
		if _, twice := c.renewals[key]; !twice { // a member may send two in one instant, and one answer serves both
			c.renewals[key] = c.s.w.Now
		}
	}
}

// sends checks I6.
func (c *checker) sends(n *simNode, o Send) {
	r, ok := o.Frame.(*RenewedFrame)
	if !ok || r.Gone {
		return
	}
	key := renewalKey{n.name, o.To, r.Nonce, r.Sent}
	arrived := c.renewals[key]
	delete(c.renewals, key)
	for _, e := range c.elections {
		if e.term > r.Term && e.at < arrived {
			c.s.fail("I6", "%s answers in term %d a renewal that arrived %v after the election of term %d", n, r.Term, arrived-e.at, e.term)
		}
	}
}

func (s *simulation) exclusive(group string) bool {
	for _, g := range s.groups {
		if g.Name == group {
			return g.Level == Exclusive
		}
	}
	return false
}
