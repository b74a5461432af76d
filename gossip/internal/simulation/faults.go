package simulation

import (
	"fmt"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// StartAll starts every node, joined to the first.
func (w *World) StartAll() {
	for i, n := range w.Nodes {
		if i == 0 {
			n.Start()
		} else {
			n.Start(w.Nodes[0].Addr)
		}
	}
}

// Partition puts nodes on a side of their own: nothing passes between sides.
func (w *World) Partition(side int, nodes ...int) {
	for _, i := range nodes {
		w.side[i] = side
	}
	w.trace("partition: side %d is %v", side, nodes)
}

// Cut lets nothing pass from one node to another; the other direction stays.
func (w *World) Cut(from, to int) {
	w.cut[from*len(w.Nodes)+to] = true
	w.trace("cut from n%d to n%d", from, to)
}

// Heal ends all partitions and cuts.
func (w *World) Heal() {
	clear(w.side)
	clear(w.cut)
	w.trace("healed")
}

// countDegrees counts the running nodes by their number of links.
func (w *World) countDegrees() map[int]int {
	d := map[int]int{}
	for _, n := range w.Nodes {
		if n.Running() {
			d[n.Core.Links()]++
		}
	}
	return d
}

// Refuse has addresses at which no node lives refuse dials; others of that kind swallow them until the dialler gives up.
func (w *World) Refuse(addrs ...string) {
	for _, a := range addrs {
		w.refused[a] = true
	}
}

// ReadSlowly has a node read at most so many bytes per second, over all its streams; 0: as many as come.
func (n *Node) ReadSlowly(rate int) {
	n.world.trace("%s reads %d B/s", n.ID, rate)
	n.reads, n.readFree = rate, n.world.Now
}

// Slam has the node's host break every stream that is dialled right after the handshake, as a proxy does whose upstream is gone:
// whether the node's process runs or not.
func (n *Node) Slam(on bool) {
	n.world.trace("%s breaks what it accepts: %v", n.ID, on)
	n.slams = on
}

// Replace gives the place of a node that does not run to another one, with a name, an address and a disk of its own.
func (n *Node) Replace(id string) {
	w := n.world
	w.trace("%s replaces %s", id, n.ID)
	delete(w.byID, n.ID)
	w.replaced++
	w.retired = append(w.retired, w.Now)
	n.ID, n.hash, n.Addr = id, core.HashID(id), fmt.Sprintf("10.1.%d.%d:7946", w.replaced/250, w.replaced%250)
	n.state, n.Gone, n.Rejoin = dead, "", false
	n.LoseDisk()
	w.byID[id] = n
}

// Duplicate has a second stream arrive at b in the name of a, which a's process does not take into use: a retried handshake.
func (w *World) Duplicate(a, b *Node) {
	if !a.Running() || !b.Running() || w.isBlocked(a, b) || w.isBlocked(b, a) {
		return
	}
	w.trace("%s connects to %s once more", a.ID, b.ID)
	s := w.newStream(a, b)
	s.closed[0] = true
	b.streams[s.link[1]] = s
	b.stepCore(core.LinkUp{Link: s.link[1], ID: a.ID, Generation: a.generation, Addr: a.Addr, Clock: a.clockTime().UnixMilli(), Rejoin: a.Rejoin})
	s.signalReset(1)
}

// runningNodes returns the nodes whose processes run and are to go on.
func (w *World) runningNodes() (all []*Node) {
	for _, n := range w.Nodes {
		if n.Running() && n.Gone == "" {
			all = append(all, n)
		}
	}
	return all
}

// Together reports whether all running nodes have exactly each other up, whatever else they know.
func (w *World) Together() bool {
	all := w.runningNodes()
	for _, n := range all {
		if n.Core.UpCount() != len(all) {
			return false
		}
		for _, m := range all {
			if !n.Core.IsUp(m.hash) {
				return false
			}
		}
	}
	return true
}
