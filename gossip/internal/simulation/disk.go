package simulation

import (
	"cmp"
	"maps"
	"slices"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Disk is what a node keeps over a restart. What its core asks to have remembered is on it at that moment.
type Disk struct {
	shared  map[sharedKey]core.SharedEntry
	members map[string]core.Remember
	contact core.Contact
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
	return Disk{maps.Clone(n.disk.shared), maps.Clone(n.disk.members), n.disk.contact}
}

// SetDisk replaces the disk of a node that does not run.
func (n *Node) SetDisk(d Disk) {
	n.world.trace("%s gets another disk", n.ID)
	n.disk = Disk{maps.Clone(d.shared), maps.Clone(d.members), d.contact}
}

// LoseDisk empties the disk of a node that does not run.
func (n *Node) LoseDisk() { n.disk = newDisk() }

// persistOutput does what an output asks of the disk.
func (n *Node) persistOutput(o core.Output) {
	switch o := o.(type) {
	case core.RememberShared:
		n.disk.shared[sharedKey{o.Entry.Space, o.Entry.Key}] = *o.Entry
	case core.ForgetShared:
		delete(n.disk.shared, sharedKey{o.Space, o.Key})
	case core.Remember:
		n.disk.members[o.ID] = o
	case core.Forget:
		delete(n.disk.members, o.ID)
	case core.Contact:
		n.disk.contact = o
	}
}

// restoreFromDisk hands what the disk holds to the core, in a fixed order.
func (n *Node) restoreFromDisk() {
	if len(n.disk.members)+len(n.disk.shared) == 0 {
		return
	}
	in := core.Restore{Contact: n.disk.contact.At, Floor: n.disk.contact.Floor, Since: n.disk.contact.Since}
	for _, id := range slices.Sorted(maps.Keys(n.disk.members)) {
		in.Members = append(in.Members, n.disk.members[id])
	}
	for _, e := range n.disk.shared {
		in.Shared = append(in.Shared, e)
	}
	slices.SortFunc(in.Shared, func(a, b core.SharedEntry) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Space, b.Space))
	})
	n.stepCore(in)
}

// stampOnDisk is the stamp of the write of a key that a node keeps, 0 if it keeps none.
func (n *Node) stampOnDisk(k sharedKey) core.Stamp { return n.disk.shared[k].Stamp }

// countTombstones is the number of deleted keys on the disk.
func (n *Node) countTombstones() (count int) {
	for _, e := range n.disk.shared {
		if e.Deleted {
			count++
		}
	}
	return count
}
