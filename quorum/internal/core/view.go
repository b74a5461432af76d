package core

import (
	"cmp"
	"slices"
	"time"
)

// view is what the membership core reports, and since when: a hint, never a proof.
type view struct {
	members map[string]*seen
	order   []string
}

type seen struct {
	Member
	since time.Duration // of Now.Running, when Up changed last
}

// viewed takes a new view. If the leader that this voter follows went down in it, the voter campaigns.
func (c *Core) viewed(in View) {
	old := c.view.members
	v := view{members: make(map[string]*seen, len(in.Members))}
	var fell []string
	for _, m := range in.Members {
		s := &seen{Member: m, since: c.now.Running}
		if before := old[m.Name]; before != nil && before.Up == m.Up {
			s.since = before.since
		} else if before != nil && !m.Up {
			fell = append(fell, m.Name)
		}
		v.members[m.Name] = s
		v.order = append(v.order, m.Name)
	}
	slices.Sort(v.order)
	c.view = v
	c.noteBirths(old)
	if c.lead != nil {
		c.lead.dirty = true
	}
	if c.raft != nil && len(fell) > 0 {
		if lead, _ := c.raft.lead(); lead != 0 && lead != c.cfg.ID && slices.Contains(fell, c.voterName(lead)) {
			c.election.verdict(c)
		}
	}
	c.member.viewed(c)
}

// noteBirths reports the members that published another birth and did not in the view before.
func (c *Core) noteBirths(old map[string]*seen) {
	if c.birth == 0 {
		return
	}
	for _, name := range c.view.order {
		m, before := c.view.members[name], old[name]
		if m.Up && !c.mine(m) && (before == nil || !before.Up || before.Birth != m.Birth) {
			c.emit(OtherBirth{Peer: name, Birth: m.Birth})
		}
	}
}

// leader returns the member of this birth that published the highest term in which it leads, "" if none did.
func (v *view) leader(c *Core) (name string, term uint64) {
	for _, n := range v.order {
		if m := v.members[n]; m.Up && m.Leads > term && c.mine(m) {
			name, term = n, m.Leads
		}
	}
	return name, term
}

// mine reports whether a member belongs to this birth, or may.
func (c *Core) mine(m *seen) bool { return m.Birth == 0 || m.Birth == c.birth }

// down reports whether a member is judged down.
func (v *view) down(name string) bool {
	m := v.members[name]
	return m != nil && (!m.Up || m.Left)
}

// unfit reports whether a voter should be replaced: it left, its disk is another one, it is being drained, or it was down for long.
func (c *Core) unfit(id uint64) bool {
	name := c.voterName(id)
	m := c.view.members[name]
	switch {
	case m == nil:
		return c.now.Running-c.lead.since >= c.cfg.ReplaceAfter && id != c.cfg.ID
	case id == c.cfg.ID:
		return c.member.draining
	case m.Left, m.Voter != 0 && m.Voter != id, c.drains(name):
		return true
	}
	return !m.Up && c.now.Running-m.since >= c.cfg.ReplaceAfter
}

// drains reports whether a member has a session that is drained.
func (c *Core) drains(name string) bool {
	t := c.raft.state.table
	return slices.ContainsFunc(t.order, func(id uint64) bool { return t.sessions[id].Name == name && t.sessions[id].Draining })
}

// candidate returns the member that should become a voter next: one with a disk before one without, then of the zone with the fewest
// voters, then the one that is up for longest. It must have been up for a while, unless voters are missing, or one leaves. Nil if there is none.
func (c *Core) candidate() *seen {
	settled := c.cfg.Settled
	if leaves := func(id uint64) bool { return c.drains(c.voterName(id)) }; len(c.raft.conf.GetVoters()) < c.cfg.Voters ||
		slices.ContainsFunc(c.raft.conf.GetVoters(), leaves) {
		settled = 0
	}
	found := c.candidates(settled)
	if len(found) == 0 {
		return nil
	}
	zones := map[string]int{}
	for _, id := range c.raft.conf.GetVoters() {
		if m := c.view.members[c.voterName(id)]; m != nil {
			zones[m.Zone]++
		}
	}
	return slices.MinFunc(found, func(a, b *seen) int {
		if a.Disk != b.Disk {
			if a.Disk {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(zones[a.Zone], zones[b.Zone]), cmp.Compare(a.since, b.since), cmp.Compare(a.Name, b.Name))
	})
}

// candidates returns the members that can become voters, up for at least so long.
func (c *Core) candidates(settled time.Duration) []*seen {
	var found []*seen
	for _, name := range c.view.order {
		m := c.view.members[name]
		if m.Up && !m.Left && m.Voter != 0 && c.mine(m) && !confHas(c.raft.conf, m.Voter) && c.now.Running-m.since >= settled && !c.drains(name) {
			found = append(found, m)
		}
	}
	return found
}

// foreign returns the names of the members that are up and published another birth.
func (v *view) foreign(c *Core) []string {
	return slices.DeleteFunc(slices.Clone(v.order), func(n string) bool { return v.down(n) || c.mine(v.members[n]) })
}
