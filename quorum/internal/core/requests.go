package core

// reply is where the result of a write goes.
type reply struct {
	to string
	id uint64
}

type write struct {
	op    op
	reply reply
}

// serveRequest takes a request. Reads wait for a round, writes for the log, and both for the first entry of the term, if the leader has just been
// elected: a member that is refused tries again 100 ms later.
func (c *Core) serveRequest(from string, f *RequestFrame) {
	l := c.lead
	waits := f.Kind == requestRead || f.Kind == requestPut || f.Kind == requestDelete
	if l == nil || !l.ready && !waits || len(l.reads) >= maxReads || len(l.writes)+len(l.directives) >= maxWrites {
		c.refuse(from, f.ID)
		return
	}
	if f.Kind == requestRead && c.mutant.staleRead {
		l.answerReads(c, []read{{from, f.ID, f.Key}})
		return
	}
	if f.Kind == requestRead {
		l.reads = append(l.reads, read{from, f.ID, f.Key})
		return
	}
	if f.Kind == requestWatch {
		l.watch(c, from, f)
		return
	}
	if f.Kind == requestTransfer {
		code := NotFound
		if c.transfer(f.Member) {
			code = OK
		}
		c.send(from, &ResponseFrame{Birth: c.birth, ID: f.ID, Code: code})
		return
	}
	if f.Kind >= requestPin {
		l.direct(c, reply{from, f.ID}, f)
		return
	}
	o := op{kind: opPut, key: f.Key, value: f.Value, token: f.Prev, session: f.Session}
	if f.Kind == requestDelete {
		o = op{kind: opDelete, key: f.Key, token: f.Prev}
	}
	if len(o.key) == 0 || len(o.key) > MaxKey || len(o.value) > MaxValue {
		c.send(from, &ResponseFrame{Birth: c.birth, ID: f.ID, Code: Full})
		return
	}
	l.writes = append(l.writes, write{o, reply{from, f.ID}})
}

// answerReads answers reads from the applied state, after the round that they waited for.
func (l *leader) answerReads(c *Core, reads []read) {
	for _, r := range reads {
		f := &ResponseFrame{Birth: c.birth, ID: r.id, At: c.raft.applied}
		if it := c.raft.state.kv.items[r.key]; it != nil {
			f.Index, f.Value = it.index, it.value
		}
		if r.key == "" {
			l.forceStream(r.from)
		}
		c.send(r.from, f)
	}
}

// forceStream has a member learn the applied index even if its table has not changed.
func (l *leader) forceStream(name string) {
	for _, st := range l.streams {
		if st.name == name {
			st.force, l.stale = true, true
		}
	}
}
