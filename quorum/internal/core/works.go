package core

import (
	"maps"
	"slices"
)

// work is a shard's function that runs. There is at most one for each shard: the next one waits for its return.
type work struct {
	group    string
	session  uint64
	token    Token
	stopping bool // its context has ended
	lost     bool // it may not act any more
}

func (m *member) held() []shardKey { return slices.SortedFunc(maps.Keys(m.works), compareShards) }

// beginAll looks at all shards.
func (m *member) beginAll(c *Core) {
	for _, k := range m.table.takeTouched() {
		m.views.changed(k)
	}
	for _, g := range m.table.groups {
		for i := range g.Shards {
			m.begin(c, shardKey{g.ID, i})
		}
	}
}

// begin brings what runs for a shard in line with the table: stops what is no longer held, begins what is. A grant that is
// no newer than what was begun or released before is an old message.
func (m *member) begin(c *Core, k shardKey) {
	g, s := m.table.shard(k.group, uint64(k.shard))
	if g == nil {
		return
	}
	m.tendStandby(c, k, g, s)
	mine := m.session != 0 && s.Holder == m.session
	if w := m.works[k]; w != nil {
		if !w.lost && w.session == m.session && (!mine || s.Token != w.token) && s.Token >= w.token {
			w.stopping, w.lost = true, true
			c.emit(Stop{Group: w.group, Shard: k.shard, Token: w.token, Lost: true})
		}
		return
	}
	if !mine || s.Token <= m.seen[k] || c.now.Lease >= m.until {
		return
	}
	m.seen[k] = s.Token
	delete(m.standby, k)
	m.works[k] = &work{group: g.Name, session: m.session, token: s.Token}
	c.emit(Start{Group: g.Name, Shard: k.shard, Token: s.Token})
}

// revoked ends the functions of shards that are wanted elsewhere. One whose grant has not come yet is released unused.
func (m *member) revoked(c *Core, f *RevokeFrame) {
	if f.Session != m.session || m.session == 0 {
		return
	}
	for _, h := range f.Holds {
		k := shardKey{h.Group, h.Shard}
		w := m.works[k]
		switch {
		case w != nil && w.token == h.Token:
			if !w.stopping {
				w.stopping = true
				c.emit(Stop{Group: w.group, Shard: k.shard, Token: w.token})
			}
			if c.mutant.earlyRelease {
				m.release(c, k, h.Token)
			}
		case w == nil && h.Token >= m.seen[k]:
			m.seen[k] = h.Token
			m.release(c, k, h.Token)
		}
	}
}

// release reports that nothing runs under a token any more.
func (m *member) release(c *Core, k shardKey, t Token) {
	if _, s := m.table.shard(k.group, uint64(k.shard)); s != nil && s.Token > t {
		return
	}
	m.releases[k] = t
	m.soon(c)
}

// dropReleases drops the reports that the table has.
func (m *member) dropReleases() {
	for k, t := range m.releases {
		if _, s := m.table.shard(k.group, uint64(k.shard)); s != nil && (s.Token > t || s.Token == t && s.Holder != m.session) {
			delete(m.releases, k)
		}
	}
}

// stopped takes the return of a function. The release follows it, never comes before it.
func (m *member) stopped(c *Core, in Stopped) {
	g := m.table.byName[in.Group]
	if g == nil {
		return
	}
	k := shardKey{g.ID, in.Shard}
	w := m.works[k]
	if w == nil || w.token != in.Token {
		return
	}
	delete(m.works, k)
	if w.session == m.session && m.session != 0 {
		m.release(c, k, w.token)
	}
	if len(m.works) == 0 {
		m.soon(c)
	}
	m.begin(c, k)
}
