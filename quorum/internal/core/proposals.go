package core

import (
	pb "go.etcd.io/raft/v3/raftpb"
)

// proposal is an entry that this leader proposed. In a term only its leader proposes, so that the entries of the term are
// applied in the order of its proposals, and none needs a name.
type proposal struct {
	ops     []op
	replies []reply // by operation; only for those that a member asked for
}

// opKey names an operation of the table that must not be proposed twice at a time.
type opKey struct {
	kind                                opKind
	session, group, shard, token, nonce uint64
	name                                string
}

func (o *op) identity() opKey {
	return opKey{o.kind, o.session, o.group, o.shard, o.token, o.nonce, o.name}
}

// queue has an operation of the table proposed, unless it already is.
func (l *leader) queue(o op) bool {
	if l.proposed[o.identity()] {
		return false
	}
	l.proposed[o.identity()] = true
	l.table = append(l.table, o)
	return true
}

// flush proposes what is queued, in entries of bounded size.
func (l *leader) flush(c *Core) {
	for len(l.table) > 0 {
		n, size := 0, 0
		for n < len(l.table) && size < MaxEntry/2 {
			size += len(l.table[n].append(nil)) + 4
			n++
		}
		l.propose(c, proposal{ops: l.table[:n:n]})
		l.table = l.table[n:]
	}
	for _, d := range l.directives {
		l.propose(c, proposal{ops: []op{d.op}, replies: []reply{d.reply}})
	}
	l.directives = nil
	for len(l.writes) > 0 {
		var p proposal
		n, size := 0, 0
		for n < len(l.writes) && (n == 0 || size+len(l.writes[n].op.value) < MaxEntry/2) {
			size += len(l.writes[n].op.value) + MaxKey
			p.ops, p.replies = append(p.ops, l.writes[n].op), append(p.replies, l.writes[n].reply)
			n++
		}
		l.writes = l.writes[n:]
		l.propose(c, p)
	}
}

func (l *leader) propose(c *Core, p proposal) {
	if err := c.raft.node.Propose(appendEntry(nil, p.ops)); err == nil {
		l.proposals = append(l.proposals, p)
		return
	}
	l.settled(p.ops) // dropped: nothing of it is in the log
	for _, r := range p.replies {
		c.refuse(r.to, r.id)
	}
}

// settled notes that proposals are no longer open, whatever became of them.
func (l *leader) settled(ops []op) {
	for i := range ops {
		if !l.proposed[ops[i].identity()] {
			continue
		}
		delete(l.proposed, ops[i].identity())
		if k := ops[i].kind; k == opGrant || k == opMove || k == opStandby {
			l.assign.open--
		}
	}
}

// applied follows the log.
func (l *leader) applied(c *Core, e *pb.Entry, ops []op, results []outcome) {
	for i := range ops {
		if ops[i].kind == opOpen {
			if s := c.raft.state.table.find(ops[i].name, ops[i].nonce); s != nil {
				l.heard[s.ID] = c.now.Running
				l.assign.quietSince = c.now.Running
			}
		}
	}
	if len(ops) > 0 && !ops[0].kind.ofMap() {
		l.dirty, l.stale = true, true
		l.handedOver(c)
	}
	switch {
	case e.GetTerm() != l.term:
	case len(e.GetData()) == 0:
		l.ready = true
	case len(l.proposals) > 0:
		p := l.proposals[0]
		l.proposals = l.proposals[1:]
		l.settled(p.ops)
		for i, r := range p.replies {
			f := &ResponseFrame{Birth: c.birth, ID: r.id, Code: results[i].code, Index: results[i].index}
			if f.Code == Full {
				f.Used = uint64(c.raft.state.kv.bytes)
			}
			c.send(r.to, f)
		}
	}
}
