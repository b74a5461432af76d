package gossiptest

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

// degrees counts the running nodes by their number of links.
func (w *World) degrees() map[int]int {
	d := map[int]int{}
	for _, n := range w.Nodes {
		if n.Running() {
			d[n.Core.Links()]++
		}
	}
	return d
}
