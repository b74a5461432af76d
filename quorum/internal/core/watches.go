package core

import (
	"slices"
	"time"
)

// Bounds and timing of watches of the map.
const (
	maxWatches = 4096             // that wait at a leader
	watchEvery = 10 * time.Second // a member asks again after this, and a leader drops what was not asked again for three times as long
)

// watch is a member that waits for a change of the map. Members ask and the leader keeps the question until it has an answer, where the table is sent
// to all: few members watch, each of them a part of a map that may be 16 MiB, and one that is slow asks less often and skips what
// was overwritten meanwhile, so that nothing queues up anywhere.
type watch struct {
	from   string
	id     uint64
	prefix string
	since  uint64
	at     time.Duration // when it was asked last
}

// watch answers with what the member lacks, or remembers it until there is something. What is answered need not be the newest: it is in the order of
// the log, and the member drops what it has.
func (l *leader) watch(c *Core, from string, f *RequestFrame) {
	w := watch{from: from, id: f.ID, prefix: f.Key, since: f.Prev, at: c.now.Running}
	i := slices.IndexFunc(l.watches, func(o watch) bool { return o.from == from && o.id == f.ID })
	switch {
	case l.answerWatch(c, w, f.After):
		if i >= 0 {
			l.watches = slices.Delete(l.watches, i, i+1)
		}
	case i >= 0:
		l.watches[i] = w
	case len(l.watches) >= maxWatches:
		c.refuse(from, f.ID)
	default:
		l.watches = append(l.watches, w)
	}
}

// answerWatch answers a watch if there is something new for it.
func (l *leader) answerWatch(c *Core, w watch, after string) bool {
	p := c.raft.state.kv.scan(w.prefix, w.since, after, c.raft.applied)
	if len(p.Changes) == 0 && !p.Whole && !p.More {
		return false
	}
	c.send(w.from, &ResponseFrame{Birth: c.birth, ID: w.id, Index: p.Index, Changes: p.Changes, Whole: p.Whole, More: p.More})
	return true
}

// tendWatches answers watches after a change of the map, and drops those that are not asked any more.
func (l *leader) tendWatches(c *Core) {
	if n := c.raft.state.kv.version; n != l.mapSeen {
		l.mapSeen = n
		l.watches = slices.DeleteFunc(l.watches, func(w watch) bool { return l.answerWatch(c, w, "") })
	}
	if c.now.Running >= l.watchesAt {
		l.watchesAt = c.now.Running + watchEvery
		l.watches = slices.DeleteFunc(l.watches, func(w watch) bool { return c.now.Running-w.at > 3*watchEvery })
	}
}
