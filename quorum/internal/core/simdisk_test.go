package core

import (
	"math/rand/v2"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

type entry = pb.Entry

// simDisk is what a member has on its disk. One commit at a time takes all changes that wait; each is there as a whole or not at all.
type simDisk struct {
	id      uint64
	saved   Saved
	session uint64
	waiting []Persist     // those of the commit under way first
	taken   int           // how many of them it has
	slow    time.Duration // what a commit takes at most
}

// write hands over a change.
func (d *simDisk) write(n *simNode, p Persist) {
	d.waiting = append(d.waiting, p)
	if d.taken == 0 {
		d.commit(n)
	}
}

// commit begins a commit.
func (d *simDisk) commit(n *simNode) {
	w, life := n.s.w, n.host.Life()
	d.taken = len(d.waiting)
	w.After(50*time.Microsecond+w.Rand2(max(d.slow, time.Millisecond)), nil, func() {
		if n.host.Life() != life || d.taken == 0 {
			return // the process ended before
		}
		seq := d.waiting[d.taken-1].Seq
		for _, p := range d.waiting[:d.taken] {
			d.saved.take(p)
		}
		d.waiting, d.taken = d.waiting[d.taken:], 0
		w.After(0, n.host, func() { n.step(Persisted{seq}) })
		if len(d.waiting) > 0 {
			d.commit(n)
		}
	})
}

// tear ends the commits that were under way with the process.
func (d *simDisk) tear(rng *rand.Rand) {
	for _, p := range d.waiting[:rng.IntN(len(d.waiting)+1)] {
		d.saved.take(p)
	}
	d.waiting, d.taken = nil, 0
}

// take applies a commit.
func (s *Saved) take(p Persist) {
	if p.Birth != 0 {
		s.Birth = p.Birth
	}
	if p.CameFrom != 0 {
		s.CameFrom = p.CameFrom
	}
	if p.Hard != nil {
		s.Hard = p.Hard
	}
	if p.Reset {
		s.Entries = nil
	}
	if p.Snapshot != nil {
		s.Snapshot = p.Snapshot
	}
	if len(p.Entries) > 0 {
		first := p.Entries[0].GetIndex()
		for len(s.Entries) > 0 && s.Entries[len(s.Entries)-1].GetIndex() >= first {
			s.Entries = s.Entries[:len(s.Entries)-1]
		}
		s.Entries = append(s.Entries[:len(s.Entries):len(s.Entries)], p.Entries...)
	}
	for len(s.Entries) > 0 && s.Entries[0].GetIndex() < p.First {
		s.Entries = s.Entries[1:]
	}
}

// lose replaces the disk by an empty one: a new identity.
func (d *simDisk) lose(id uint64) { *d = simDisk{id: id, slow: d.slow} }
