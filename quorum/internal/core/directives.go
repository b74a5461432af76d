package core

import (
	"maps"
	"slices"
	"time"
)

// handoverMost is how long a leader tries to hand a shard to the member that an operator named.
const handoverMost = time.Minute

// handover is a shard that an operator wants at a member. It is this leader's alone: it is a wish, and the next leader leaves it.
type handover struct {
	to    string
	until time.Duration
	reply reply
}

// direct takes what an operator asks about a group: what lasts goes to the log, a hand-over begins with the next plan.
func (l *leader) direct(c *Core, r reply, f *RequestFrame) {
	g := c.raft.state.table.byName[f.Group]
	code := OK
	switch {
	case g == nil || f.Kind != requestExclude && f.Shard >= len(g.Shards):
		code = NotFound
	case f.Kind == requestPin:
		l.directives = append(l.directives, write{op{kind: opPin, group: g.ID, shard: uint64(f.Shard), name: f.Member}, r})
	case f.Kind == requestExclude:
		code = l.exclude(g, r, f)
	default:
		code = l.beginHandover(c, g, r, f)
	}
	if code != OK {
		c.send(r.to, &ResponseFrame{Birth: c.birth, ID: r.id, Code: code})
	}
}

func (l *leader) exclude(g *Group, r reply, f *RequestFrame) Code {
	o := op{kind: opExclude, group: g.ID, name: f.Member}
	switch {
	case f.Member == "":
		return NotFound
	case f.Undo:
		o.weight = 1
	case len(g.excluded)+len(l.directives) >= MaxSessions:
		return Full
	}
	l.directives = append(l.directives, write{o, r})
	return OK
}

func (l *leader) beginHandover(c *Core, g *Group, r reply, f *RequestFrame) Code {
	k := shardKey{g.ID, f.Shard}
	pin, pinned := g.pins[f.Shard]
	switch {
	case !l.takes(c, g, f.Member):
		return NotFound
	case pinned && pin != f.Member:
		return Pinned
	case l.moving[k] != nil || len(l.moving) >= maxHolds:
		return Full
	}
	l.moving[k] = &handover{to: f.Member, until: c.now.Running + handoverMost, reply: r}
	l.dirty = true
	l.handedOver(c)
	return OK
}

// takes reports whether a member can be given shards of a group now.
func (l *leader) takes(c *Core, g *Group, name string) bool {
	t := c.raft.state.table
	return !g.excludes(name) && slices.ContainsFunc(l.liveSessions(c), func(id uint64) bool {
		s := t.sessions[id]
		return s.Name == name && !s.Draining && g.member(id) >= 0
	})
}

// planHandovers has a plan give shards to the members that operators named.
func (l *leader) planHandovers(g *Group, p *planning) {
	for k, h := range l.moving {
		if k.group == g.ID {
			p.pin(k.shard, h.to)
		}
	}
}

// handedOver answers the hand-overs that are done.
func (l *leader) handedOver(c *Core) {
	if len(l.moving) == 0 {
		return
	}
	t := c.raft.state.table
	for _, k := range slices.SortedFunc(maps.Keys(l.moving), compareShards) {
		h := l.moving[k]
		if _, s := t.shard(k.group, uint64(k.shard)); s != nil && t.memberName(s.Holder) == h.to {
			l.endHandover(c, k, ResponseFrame{Code: OK, Index: c.raft.applied})
		}
	}
}

// endHandovers gives up the hand-overs that take too long, or whose member takes no shards any more.
func (l *leader) endHandovers(c *Core) {
	if len(l.moving) == 0 || c.now.Running < l.movingAt {
		return
	}
	l.movingAt = c.now.Running + tick
	for _, k := range slices.SortedFunc(maps.Keys(l.moving), compareShards) {
		h := l.moving[k]
		switch {
		case c.now.Running >= h.until:
			l.endHandover(c, k, ResponseFrame{Code: Unknown})
		case !l.takes(c, c.raft.state.table.group(k.group), h.to):
			l.endHandover(c, k, ResponseFrame{Code: NotFound})
		}
	}
}

func (l *leader) endHandover(c *Core, k shardKey, f ResponseFrame) {
	r := l.moving[k].reply
	f.Birth, f.ID = c.birth, r.id
	c.send(r.to, &f)
	delete(l.moving, k)
	l.dirty = true
}
