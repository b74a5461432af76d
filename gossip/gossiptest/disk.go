package gossiptest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

// Disk is what a node keeps over a restart. What its core asks to have remembered is on it at that moment.
type Disk struct {
	shared  map[sharedKey]core.SharedEntry
	members map[string]core.Remember
	written time.Time // by the clock of the node; zero: never
}

type sharedKey struct {
	space core.Space
	key   string
}

func newDisk() Disk {
	return Disk{shared: map[sharedKey]core.SharedEntry{}, members: map[string]core.Remember{}}
}

// Disk returns a copy of the node's disk, to be put back later: an old backup, or a snapshot of a virtual machine.
func (n *Node) Disk() Disk {
	return Disk{maps.Clone(n.disk.shared), maps.Clone(n.disk.members), n.disk.written}
}

// SetDisk replaces the disk of a node that does not run.
func (n *Node) SetDisk(d Disk) {
	n.world.trace("%s gets another disk", n.ID)
	n.disk = Disk{maps.Clone(d.shared), maps.Clone(d.members), d.written}
}

// LoseDisk empties the disk of a node that does not run.
func (n *Node) LoseDisk() { n.disk = newDisk() }

// keep does what an output asks of the disk.
func (n *Node) keep(o core.Output) {
	switch o := o.(type) {
	case core.RememberShared:
		n.disk.shared[sharedKey{o.Entry.Space, o.Entry.Key}] = *o.Entry
	case core.ForgetShared:
		delete(n.disk.shared, sharedKey{o.Space, o.Key})
	case core.Remember:
		n.disk.members[o.ID] = o
	case core.Forget:
		delete(n.disk.members, o.ID)
	default:
		return
	}
	n.disk.written = n.clock()
}

// signOfLife writes the time to the disk of a running node, every Settings.SignOfLife.
func (n *Node) signOfLife() {
	every, life := n.world.SignOfLife, n.life
	if every == 0 {
		return
	}
	n.world.After(every, n, func() {
		if n.life == life && n.state == running {
			n.disk.written = n.clock()
			n.signOfLife()
		}
	})
}

// recall hands what the disk holds to the core, in a fixed order. As in the shell, a node that was away for longer than deletes are
// remembered takes the addresses alone.
func (n *Node) recall() {
	if len(n.disk.members)+len(n.disk.shared) == 0 {
		return
	}
	var in core.Restore
	for _, id := range slices.Sorted(maps.Keys(n.disk.members)) {
		in.Members = append(in.Members, n.disk.members[id])
	}
	if n.clock().Sub(n.disk.written) > n.world.Core.Horizon {
		n.LoseDisk()
		var addrs []string
		for _, m := range in.Members {
			addrs = append(addrs, m.Addr)
		}
		n.world.trace("%s was away for longer than the horizon", n.ID)
		n.step(core.Join{Addrs: addrs})
		return
	}
	for _, e := range n.disk.shared {
		in.Shared = append(in.Shared, e)
	}
	slices.SortFunc(in.Shared, func(a, b core.SharedEntry) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Space, b.Space))
	})
	n.step(in)
}

// stampOnDisk is the stamp of the write of a key that a node keeps, 0 if it keeps none.
func (n *Node) stampOnDisk(k sharedKey) core.Stamp { return n.disk.shared[k].Stamp }

// tombstones is the number of deleted keys on the disk.
func (n *Node) tombstones() (count int) {
	for _, e := range n.disk.shared {
		if e.Deleted {
			count++
		}
	}
	return count
}
