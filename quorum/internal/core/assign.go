package core

import (
	"maps"
	"slices"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/plan"
)

// Timing of the assignment.
const (
	assignEvery  = tick            // how often the leader looks whether a session fell silent
	balanceEvery = 5 * time.Second // and whether the balance can be improved
	revokeAgain  = time.Second     // a revocation is sent again after this

	// A group that none holds waits for its members, see gathers.
	gatherQuiet = 100 * time.Millisecond // without another member
	gatherMost  = time.Second
)

// assigner has shards go where package plan wants them. It is a leader's alone: the next one begins from the table.
type assigner struct {
	at         time.Duration
	quietSince time.Duration // when a session last came or went
	live       []uint64      // as of the last plan
	revoking   map[shardKey]*revocation
	gathering  map[uint64]*gathering // by group
	balanceAt  time.Duration         // when to look at the balance again, though nothing happened
	minute     time.Duration         // when the present minute of churn began
	churn      map[uint64]int        // moves for balance in it, by group
	open       int                   // operations proposed and not applied: until they are, the table is not what to plan from
}

// revocation is a shard that its holder was asked to release.
type revocation struct {
	session uint64
	token   Token
	since   time.Duration
	sent    time.Duration // 0: not yet
}

func newAssigner() assigner {
	return assigner{revoking: map[shardKey]*revocation{}, gathering: map[uint64]*gathering{}, churn: map[uint64]int{}}
}

// recent reports whether a session has renewed lately, so that a grant would be used.
func (l *leader) recent(c *Core, session uint64) bool {
	at, ok := l.heard[session]
	return ok && c.now.Running-at < c.cfg.Lease*6/10
}

// liveSessions returns the sessions that can be given shards: the newest of each member, renewed lately, its member not judged down.
func (l *leader) liveSessions(c *Core) []uint64 {
	t := c.raft.state.table
	newest := make(map[string]uint64, len(t.order))
	for _, id := range t.order {
		newest[t.sessions[id].Name] = id
	}
	var out []uint64
	for _, id := range t.order {
		name := t.sessions[id].Name
		if newest[name] == id && l.recent(c, id) && !l.ending[id] && !c.view.down(name) {
			out = append(out, id)
		}
	}
	return out
}

// warm reports whether the leader has enough information to plan: every session of a member that is not judged down has renewed, or had the
// time to. Before that it would take sessions that have not renewed yet for dead and give all shards to a few.
func (l *leader) warm(c *Core) bool {
	if c.now.Running-l.since > c.cfg.Lease/4 {
		return true
	}
	t := c.raft.state.table
	return !slices.ContainsFunc(t.order, func(id uint64) bool {
		_, ok := l.heard[id]
		return !ok && !c.view.down(t.sessions[id].Name)
	})
}

// planDue plans all groups again if something changed, and from time to time for balance, and proposes what can be done now.
func (l *leader) planDue(c *Core) {
	a := &l.assign
	if !l.dirty && c.now.Running < a.at {
		return
	}
	a.at = c.now.Running + assignEvery
	if a.open > 0 || c.raft.state.table.into != 0 || !l.warm(c) {
		return
	}
	a.again(c)
	live := l.liveSessions(c)
	if !slices.Equal(live, a.live) {
		a.live, a.quietSince = live, c.now.Running
	} else if !l.dirty && c.now.Running < a.balanceAt {
		return
	}
	l.dirty, a.balanceAt = false, c.now.Running+balanceEvery
	if c.now.Running-a.minute >= time.Minute {
		a.minute = c.now.Running
		clear(a.churn)
	}
	a.forget(c.raft.state.table)
	l.endAbsences(c)
	for _, g := range c.raft.state.table.groups {
		if l.gathers(c, g) {
			a.balanceAt = c.now.Running // look again at the next occasion
			continue
		}
		l.planGroup(c, g)
	}
	a.again(c)
}

// planGroup plans one group. Package plan identifies members by a hash of their names, so that a restarted one is given what it had.
func (l *leader) planGroup(c *Core, g *Group) {
	reserved, until := l.reserved(c, g)
	l.assign.balanceAt = min(l.assign.balanceAt, until)
	p := newPlanning(c.raft.state.table, g, l.assign.live, reserved)
	l.planHandovers(g, &p)
	if c.mutant.noPins {
		clear(p.pins)
	}
	target := plan.PlanPinned(p.current, p.members, g.Copies, p.pins)
	limits := plan.Limits{AtOnce: g.moves(), Asked: slices.Sorted(maps.Keys(p.pins))}
	for k := range l.assign.revoking {
		if row, ok := p.row(k.shard); ok && k.group == g.ID {
			limits.InFlight = append(limits.InFlight, row)
		}
	}
	if c.now.Running-l.assign.quietSince >= c.cfg.Quiet {
		limits.Balance = plan.Churn(len(g.Shards)) - l.assign.churn[g.ID]
	}
	for _, m := range plan.Moves(p.current, target, p.members, limits) {
		row := p.sessionsOf(target[m.Shard])
		m.Shard = p.shard(m.Shard)
		l.move(c, g, m, row)
	}
	l.renewTokens(c, g, g.moves()-len(limits.InFlight))
}

// move takes the next step towards a row: a grant if the shard is free, a revocation if it is held. The holder that is gone
// keeps an exclusive shard until its session ends; a fenced one goes on at once, with a greater token.
func (l *leader) move(c *Core, g *Group, m plan.Move, row []uint64) {
	s := &g.Shards[m.Shard]
	if len(row) == 0 && s.Holder == 0 {
		return
	}
	o := op{group: g.ID, shard: uint64(m.Shard), token: uint64(s.Token)}
	switch {
	case len(row) > 0 && s.Holder == 0:
		o.kind, o.session = opGrant, row[0]
	case len(row) > 0 && s.Holder == row[0]:
		o.kind, o.standby, o.token = opStandby, row[1:], c.raft.state.table.index
	case slices.Contains(l.assign.live, s.Holder):
		if m.Reason == plan.Balance {
			l.assign.churn[g.ID]++
		}
		l.assign.revoking[shardKey{g.ID, m.Shard}] = &revocation{session: s.Holder, token: s.Token, since: c.now.Running}
		return
	case len(row) > 0 && g.Level == Fenced:
		o.kind, o.session = opMove, row[0]
	default:
		return
	}
	if !l.queue(o) {
		return
	}
	l.assign.open++
	if o.kind != opStandby && len(row) > 1 {
		o.kind, o.standby, o.session = opStandby, row[1:], 0
		if l.queue(o) {
			l.assign.open++
		}
	}
}

// renewTokens has the holders of shards that were granted before the tokens were raised release them: stores may have seen greater
// tokens of another birth, and refuse what these hold.
func (l *leader) renewTokens(c *Core, g *Group, most int) {
	t := c.raft.state.table
	if t.era == t.birth.Order() {
		return
	}
	for shard := range g.Shards {
		s, k := &g.Shards[shard], shardKey{g.ID, shard}
		if most <= 0 || s.Token.era() >= t.era || l.assign.revoking[k] != nil || !slices.Contains(l.assign.live, s.Holder) {
			continue
		}
		l.assign.revoking[k] = &revocation{session: s.Holder, token: s.Token, since: c.now.Running}
		most--
	}
}
