package core

import (
	"math/rand/v2"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

type entry = pb.Entry

// simDisk is what a member has on its disk. Commits take time, one after the other; each is there as a whole or not at all.
type simDisk struct {
	id      uint64
	saved   Saved
	session uint64
	waiting []Persist
	busy    time.Duration // until when earlier commits take
	slow    time.Duration // what a commit takes at most
}

// write begins a commit.
func (d *simDisk) write(n *simNode, p Persist) {
	w := n.s.w
	d.waiting = append(d.waiting, p)
	life := n.host.Life()
	d.busy = max(d.busy, w.Now) + 50*time.Microsecond + w.Rand2(max(d.slow, time.Millisecond))
	w.After(d.busy-w.Now, nil, func() {
		if n.host.Life() != life || len(d.waiting) == 0 || d.waiting[0].Seq != p.Seq {
			return // the process ended before
		}
		d.waiting = d.waiting[1:]
		d.saved.take(p)
		w.After(0, n.host, func() { n.step(Persisted{p.Seq}) })
	})
}

// tear ends the commits that were under way with the process.
func (d *simDisk) tear(rng *rand.Rand) {
	for _, p := range d.waiting[:rng.IntN(len(d.waiting)+1)] {
		d.saved.take(p)
	}
	d.waiting, d.busy = nil, 0
}

// take applies a commit.
func (s *Saved) take(p Persist) {
	if p.Birth != 0 {
		s.Birth = p.Birth
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
