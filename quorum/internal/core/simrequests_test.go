package core

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// simRequest is one request on the map, from its call to its result.
type simRequest struct {
	node       *simNode
	key        string
	write      bool
	prev       uint64 // of a write: the index that it names
	value      []byte
	began      time.Duration
	ended      time.Duration // 0: not yet
	index      uint64        // of the key as the request saw or left it
	code       Code
	conclusive bool
	operator   bool // a pin, a move or an exclusion
}

// traffic is all requests of a run.
type traffic struct {
	all    []*simRequest
	nextID uint64
	off    bool
}

var simKeys = []string{"a", "b", "c"}

// startTraffic has every node read and compare-and-set keys of the map now and then.
func (s *simulation) startTraffic() {
	s.requests = &traffic{}
	for _, n := range s.nodes {
		s.nextRequest(n)
		s.nextWatch(n)
	}
}

func (s *simulation) nextRequest(n *simNode) {
	s.w.After(s.w.Rand2(600*time.Millisecond), nil, func() {
		if s.requests.off {
			return
		}
		if n.host.Running() && !n.host.Frozen() && n.core.birth != 0 {
			s.ask(n)
		}
		s.nextRequest(n)
	})
}

// ask begins a request: a read, a write under the index last seen, or a read that waits for the table.
func (s *simulation) ask(n *simNode) {
	t := s.requests
	t.nextID++
	r := &simRequest{node: n, key: simKeys[s.w.Rand.IntN(len(simKeys))], began: s.w.Now}
	n.requests[t.nextID] = r
	switch s.w.Rand.IntN(5) {
	case 0:
		r.key = ""
		n.step(Read{ID: t.nextID, Timeout: 2 * time.Second})
	case 1, 2:
		t.all = append(t.all, r)
		n.step(Read{ID: t.nextID, Key: r.key, Timeout: 2 * time.Second})
	default:
		t.all = append(t.all, r)
		r.write, r.prev = true, n.versions[r.key]
		r.value = binary.BigEndian.AppendUint64(nil, t.nextID)
		n.step(Write{ID: t.nextID, Key: r.key, Value: r.value, Prev: n.versions[r.key], Timeout: 2 * time.Second})
	}
}

// result takes the result of a request.
func (n *simNode) result(o Result) {
	if n.watch.id == o.ID {
		n.watchResult(o)
		return
	}
	r := n.requests[o.ID]
	if r == nil {
		n.s.fail("result", "%s: of a request %d that is over", n, o.ID)
		return
	}
	delete(n.requests, o.ID)
	r.ended, r.code, r.index = n.s.w.Now, o.Code, o.Index
	if r.operator {
		return
	}
	r.conclusive = o.Code == OK || o.Code == Conflict
	if r.key == "" {
		if o.Code == OK && n.core.Table().Index() < o.Index {
			n.s.fail("result", "%s: the table has %d, want %d", n, n.core.Table().Index(), o.Index)
		}
		n.s.history.synced(r, o.Code, n.core.Table())
		return
	}
	if r.conclusive {
		n.versions[r.key] = o.Index
	}
	if !r.write {
		r.value = o.Value
	}
}

// crashedRequests ends the requests of a process that ended: a write may still take effect.
func (s *simulation) crashedRequests(n *simNode) {
	clear(n.requests)
	clear(n.versions)
}

// endTraffic checks that the history is linearizable. The values of a key are numbered by the log, so that this is: of two
// requests one after the other, the later one saw no older value, and a later write made a newer one.
func (s *simulation) endTraffic() {
	s.requests.off = true
	s.run(3 * time.Second)
	for _, n := range s.nodes {
		for _, id := range slices.Sorted(maps.Keys(n.requests)) {
			s.fail("result", "%s: none of request %d", n, id)
		}
	}
	for _, key := range simKeys {
		s.checkHistory(key)
	}
	s.checkWatches()
}

func (s *simulation) checkHistory(key string) {
	written := map[uint64][]byte{} // by index
	var done []*simRequest
	for _, r := range s.requests.all {
		if r.key != key || !r.conclusive {
			continue
		}
		if r.write && r.code == OK {
			if written[r.index] != nil {
				s.fail("linearizable", "two writes of %q made value %d", key, r.index)
			}
			written[r.index] = r.value
		}
		done = append(done, r)
	}
	slices.SortStableFunc(done, func(a, b *simRequest) int { return int(a.began - b.began) })
	for i, b := range done {
		if !b.write && b.index != 0 && written[b.index] != nil && !bytes.Equal(b.value, written[b.index]) {
			s.fail("linearizable", "%s read %x as value %d of %q, which is %x", b.node, b.value, b.index, key, written[b.index])
		}
		for _, a := range done[:i] {
			isNew := b.write && b.code == OK
			if a.ended < b.began && (a.index > b.index || isNew && a.index == b.index) {
				s.fail("linearizable", "%s saw value %d of %q after %s saw %d", b.node, b.index, key, a.node, a.index)
			}
		}
	}
}
