package core

// direct applies what an operator decided about a group.
func (t *Table) direct(o *op) {
	g := t.group(o.group)
	switch {
	case g == nil:
	case o.kind == opPin && o.shard < uint64(len(g.Shards)):
		if o.name == "" {
			delete(g.pins, int(o.shard))
		} else {
			g.pins[int(o.shard)] = o.name
		}
	case o.kind == opExclude && o.weight > 0:
		delete(g.excluded, o.name)
	case o.kind == opExclude && o.name != "" && len(g.excluded) < MaxSessions:
		g.excluded[o.name] = struct{}{}
	}
}

// excludes reports whether a member is to hold nothing of a group.
func (g *Group) excludes(name string) bool {
	_, ok := g.excluded[name]
	return ok
}
