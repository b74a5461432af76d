package core

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Timing of a member.
const (
	openEvery    = 250 * time.Millisecond // between attempts to open a session
	far          = time.Hour
	maxFailures  = 2 // renewals without an answer before another leader is looked for
	maxRequests  = 4096
	requestEvery = 100 * time.Millisecond // between attempts of a request that no leader took
	readEvery    = 500 * time.Millisecond // between attempts of a read that was not answered
)

// member is what a member does with its session: renewals, the table that the leader streams to it, and what it holds.
type member struct {
	rng      *rand.Rand
	table    *Table
	views    viewBuilder
	nonce    uint64
	session  uint64        // 0: none
	until    time.Duration // of Now.Lease: the end of the lease; 0: none yet
	replaces uint64        // an earlier session of this member
	renewAt  time.Duration // of Now.Running

	leader   string // whom to ask
	term     uint64 // in which it led
	failures int
	heard    time.Duration // when something of the leader came last
	tries    int

	serves   map[string]GroupSettings // by name; Weight 0: not any more
	refused  map[string]bool
	works    map[shardKey]*work
	seen     map[shardKey]Token  // the greatest token of a shard that was begun or released in this session
	standby  map[shardKey]string // names of groups, by shard that it is to hold next
	releases map[shardKey]Token  // to be reported until the table has it

	draining bool // all shards are to go
	ending   bool // they have gone: the session is to end
	ended    bool // it has
	leaving  leave
	merge    merge
	requests map[uint64]*request
}

func newMember(cfg Config, rng *rand.Rand) member {
	return member{rng: rng, table: newTable(0), views: newViewBuilder(), nonce: rng.Uint64(), replaces: cfg.Predecessor, serves: map[string]GroupSettings{}, refused: map[string]bool{},
		works: map[shardKey]*work{}, seen: map[shardKey]Token{}, standby: map[shardKey]string{}, releases: map[shardKey]Token{}, requests: map[uint64]*request{}}
}

// work does what is due.
func (m *member) work(c *Core) {
	if c.birth == 0 {
		m.drainDue(c)
		m.leaveDue(c)
		return
	}
	m.followRaft(c)
	m.leaseDue(c)
	m.drainDue(c)
	m.leaveDue(c)
	m.mergeDue(c)
	if c.now.Running >= m.renewAt && m.renews() {
		m.renew(c)
	}
	m.requestsDue(c)
}

// next returns when work is due again, as a reading of Now.Running.
func (m *member) next(c *Core) time.Duration {
	next := c.now.Running + far
	if m.leaving.begun && !m.leaving.over {
		next = m.leaving.until
	}
	if c.birth == 0 {
		return next
	}
	if m.renews() {
		next = min(next, m.renewAt)
	}
	if m.merge.over && !m.merge.done {
		next = min(next, m.merge.since+mergeRest)
	}
	if m.session != 0 {
		next = min(next, c.now.Running+m.until-c.now.Lease)
	}
	for _, r := range m.requests {
		next = min(next, r.until)
		if r.wait == 0 && (!r.sent || r.repeats()) {
			next = min(next, r.at)
		}
	}
	return next
}

// renew sends a renewal to the leader, or to a voter that may know it.
func (m *member) renew(c *Core) {
	m.renewAt = c.now.Running + openEvery
	if m.session != 0 && !m.leaving.begun {
		m.renewAt = c.now.Running + c.cfg.renewal()
	}
	to := m.target(c)
	if to == "" {
		return
	}
	m.failures++
	f := &RenewFrame{Birth: c.birth, Session: m.session, Nonce: m.nonce, Sent: uint64(c.now.Lease), Zone: c.cfg.Zone,
		Table: m.table.index, Drain: m.draining, End: m.ending, Serves: m.serveChanges(), Older: m.merge.asked, CameFrom: c.cameFrom}
	if m.session == 0 && len(m.works) == 0 {
		f.Replaces = m.replaces
	}
	for _, k := range slices.SortedFunc(maps.Keys(m.releases), compareShards) {
		if len(f.Releases) < maxHolds {
			f.Releases = append(f.Releases, Hold{k.group, k.shard, m.releases[k]})
		}
	}
	c.send(to, f)
}

// renews reports whether the member wants a session, or has one.
func (m *member) renews() bool {
	if m.merge.over {
		return m.session != 0
	}
	return !m.ended
}

// soon has the next renewal go out in this step.
func (m *member) soon(c *Core) { m.renewAt = c.now.Running }
