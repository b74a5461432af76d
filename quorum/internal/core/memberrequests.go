package core

import (
	"maps"
	"slices"
	"time"
)

// request is a request of this member that has no result yet.
type request struct {
	id    uint64
	frame RequestFrame
	until time.Duration
	at    time.Duration // when to try again
	to    string        // where it was sent
	sent  bool          // a leader may have it
	wait  uint64        // a read without a key is over once the table has this index; 0: not known yet
}

// repeats reports whether a request can be sent again while an answer may be on its way: it changes nothing.
func (r *request) repeats() bool { return r.frame.Kind == requestRead || r.frame.Kind == requestWatch }

// request begins a request. More than maxRequests at a time are refused.
func (m *member) request(c *Core, r *request) {
	if len(m.requests) >= maxRequests || c.birth == 0 {
		c.emit(Result{ID: r.id, Code: NoLeader})
		return
	}
	r.at = c.now.Running
	m.requests[r.id] = r
}

func (m *member) write(c *Core, in Write) {
	f := RequestFrame{Kind: requestPut, Key: in.Key, Value: in.Value, Prev: in.Prev}
	if in.Delete {
		f.Kind, f.Value = requestDelete, nil
	}
	if in.Session {
		if f.Session = m.session; f.Session == 0 {
			c.emit(Result{ID: in.ID, Code: NoSession})
			return
		}
	}
	m.request(c, &request{id: in.ID, frame: f, until: c.now.Running + in.Timeout})
}

// direct begins a request of an operator. One that no frame can carry finds nothing.
func (m *member) direct(c *Core, id uint64, timeout time.Duration, f RequestFrame) {
	if f.Shard < 0 || f.Shard >= MaxShards || len(f.Group) > MaxName || len(f.Member) > MaxName {
		c.emit(Result{ID: id, Code: NotFound})
		return
	}
	m.request(c, &request{id: id, frame: f, until: c.now.Running + timeout})
}

// requestsDue sends requests and ends those that are out of time. A write that a leader may have is never sent twice.
func (m *member) requestsDue(c *Core) {
	if len(m.requests) == 0 {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(m.requests)) {
		r := m.requests[id]
		switch {
		case c.now.Running >= r.until:
			m.expireRequest(c, r)
		case c.now.Running < r.at || r.wait > 0 || r.sent && !r.repeats():
		case m.leader == "":
			r.at = c.now.Running + requestEvery
		default:
			f := r.frame
			f.Birth, f.ID = c.birth, r.id
			r.to, r.sent, r.at = m.leader, true, c.now.Running+far
			switch r.frame.Kind {
			case requestRead:
				r.at = c.now.Running + readEvery
			case requestWatch:
				r.at = c.now.Running + watchEvery
			}
			c.send(r.to, &f)
		}
	}
}

// expireRequest ends a request without an answer.
func (m *member) expireRequest(c *Core, r *request) {
	code := NoLeader
	if r.sent && !r.repeats() {
		code = Unknown
	}
	m.result(c, Result{ID: r.id, Code: code})
}

func (m *member) result(c *Core, r Result) {
	delete(m.requests, r.ID)
	c.emit(r)
}

// lostRequest follows the break of the stream to the leader: a read is asked again, what became of a write is not known.
func (m *member) lostRequest(c *Core, r *request) {
	if r.repeats() {
		r.sent, r.at = false, c.now.Running+requestEvery
		return
	}
	m.result(c, Result{ID: r.id, Code: Unknown})
}

// response takes the answer of a leader.
func (m *member) response(c *Core, f *ResponseFrame) {
	r := m.requests[f.ID]
	if r == nil || r.wait > 0 {
		return
	}
	if r.frame.Kind == requestRead && r.frame.Key == "" && f.Code == OK {
		r.wait = f.At
		m.releaseSynced(c)
		return
	}
	out := Result{ID: f.ID, Code: f.Code, Index: f.Index, Value: slices.Clone(f.Value), Used: f.Used, Changes: slices.Clone(f.Changes), Whole: f.Whole, More: f.More}
	for i := range out.Changes {
		out.Changes[i].Value = slices.Clone(out.Changes[i].Value)
	}
	m.result(c, out)
}

// releaseSynced ends the reads that waited for the table.
func (m *member) releaseSynced(c *Core) {
	for _, id := range slices.Sorted(maps.Keys(m.requests)) {
		if r := m.requests[id]; r.wait > 0 && m.table.index >= r.wait {
			m.result(c, Result{ID: id, Code: OK, Index: r.wait})
		}
	}
}
