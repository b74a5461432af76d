package core

import pb "go.etcd.io/raft/v3/raftpb"

// tableStream is how far a member's table is, as renewals report it.
type tableStream struct {
	name  string
	known bool
	base  uint64 // what the member has, or has on its way
	acked uint64 // what it named last
	force bool   // it wants to know the index though nothing has changed
}

// follow takes up how far a member is. One that names the same index twice, below what was sent, has not received it.
func (l *leader) follow(_ *Core, s *Session, f *RenewFrame) {
	st := l.streams[s.ID]
	if st == nil {
		st = &tableStream{name: s.Name}
		l.streams[s.ID] = st
	}
	if !st.known || f.Table < st.base && f.Table == st.acked {
		st.known, st.base = true, f.Table
		l.stale = true
	}
	st.acked = f.Table
}

// streamTable sends each member what its table lacks: the entries that concern it, or if the log no longer has them, all of it.
func (l *leader) streamTable(c *Core) {
	if !l.stale {
		return
	}
	l.stale = false
	var whole []byte
	cache := map[uint64][]TableEntry{}
	for _, id := range c.raft.state.table.order {
		st := l.streams[id]
		if st == nil || !st.known || st.base >= c.raft.applied {
			continue
		}
		f := &TableFrame{Birth: c.birth, Term: l.term, Prev: st.base, Last: c.raft.applied}
		entries, ok := cache[st.base]
		if !ok {
			if entries, ok = c.tableEntries(st.base); ok {
				cache[st.base] = entries
			}
		}
		switch {
		case !ok:
			if whole == nil {
				whole = c.raft.state.table.encode()
			}
			f.Whole = whole
		case len(entries) == 0 && !st.force:
			continue
		default:
			f.Entries = entries
		}
		st.base, st.force = c.raft.applied, false
		c.send(st.name, f)
	}
}

// tableEntries returns the applied entries after an index that concern the table; false if the log has them no more or they are too many.
func (c *Core) tableEntries(after uint64) ([]TableEntry, bool) {
	s := c.raft.store
	if first, err := s.FirstIndex(); err != nil || after+1 < first || c.raft.applied-after > 8*maxStream {
		return nil, false
	}
	entries, err := s.Entries(after+1, c.raft.applied+1, 1<<20)
	if err != nil || uint64(len(entries)) != c.raft.applied-after {
		return nil, false
	}
	var out []TableEntry
	for _, e := range entries {
		if concernsTable(e) {
			out = append(out, TableEntry{Index: e.GetIndex(), Data: e.GetData()})
		}
	}
	return out, len(out) <= maxStream
}

// concernsTable reports whether an entry has operations of the table.
func concernsTable(e *pb.Entry) bool {
	if e.GetType() != pb.EntryNormal || len(e.GetData()) == 0 {
		return false
	}
	ops, err := parseEntry(e.GetData())
	return err == nil && len(ops) > 0 && !ops[0].kind.ofMap()
}
