package plan

import "math"

// network is a small minimum-cost maximum-flow solver (successive shortest paths, Bellman and Ford), the independent judge of what is
// possible: it knows nothing of how Plan searches.
type network struct {
	edges []edge // the reverse of edge i is i^1
	from  [][]int
}

type edge struct{ to, room, cost int }

func newNetwork(nodes int) *network { return &network{from: make([][]int, nodes)} }

func (n *network) connect(a, b, room, cost int) {
	n.from[a] = append(n.from[a], len(n.edges))
	n.from[b] = append(n.from[b], len(n.edges)+1)
	n.edges = append(n.edges, edge{b, room, cost}, edge{a, 0, -cost})
}

// run returns the maximum flow and the least cost of it.
func (n *network) run(source, sink int) (flow, cost int) {
	for {
		distance, via := n.shortest(source)
		if distance[sink] == math.MaxInt {
			return flow, cost
		}
		for at := sink; at != source; at = n.edges[via[at]^1].to {
			n.edges[via[at]].room--
			n.edges[via[at]^1].room++
		}
		flow++
		cost += distance[sink]
	}
}

func (n *network) shortest(source int) (distance, via []int) {
	distance, via = make([]int, len(n.from)), make([]int, len(n.from))
	for i := range distance {
		distance[i] = math.MaxInt
	}
	distance[source] = 0
	queue, queued := []int{source}, make([]bool, len(n.from))
	for len(queue) > 0 {
		at := queue[0]
		queue, queued[at] = queue[1:], false
		for _, i := range n.from[at] {
			e := n.edges[i]
			if e.room == 0 || distance[at]+e.cost >= distance[e.to] {
				continue
			}
			distance[e.to], via[e.to] = distance[at]+e.cost, i
			if !queued[e.to] {
				queue, queued[e.to] = append(queue, e.to), true
			}
		}
	}
	return distance, via
}

// fewest returns how many copies can be placed, and how few of them are new, when no zone has more than perZone copies of a shard and each
// member has at most the given number of copies.
func (s scene) fewest(perZone int, most map[uint64]int) (placed, moved int) {
	zones, ids := map[string]int{}, map[uint64]int{}
	for id, m := range s.eligible() {
		if _, ok := zones[m.Zone]; !ok {
			zones[m.Zone] = len(zones)
		}
		ids[id] = len(ids)
	}
	shards := len(s.old)
	zoneNode := func(shard, zone int) int { return 2 + shards + shard*len(zones) + zone }
	memberNode := func(i int) int { return 2 + shards + shards*len(zones) + i }
	n := newNetwork(memberNode(len(ids)))
	kept := s.usable(perZone)
	for shard := range shards {
		n.connect(0, 2+shard, s.width(), 0)
		for _, zone := range zones {
			n.connect(2+shard, zoneNode(shard, zone), perZone, 0)
		}
		for id, m := range s.eligible() {
			cost := 1
			for _, k := range kept[shard] {
				if k == id {
					cost = 0
				}
			}
			n.connect(zoneNode(shard, zones[m.Zone]), memberNode(ids[id]), 1, cost)
		}
	}
	for id, i := range ids {
		n.connect(memberNode(i), 1, most[id], 0)
	}
	return n.run(0, 1)
}

// spread returns the smallest number of copies of a shard that a zone must take, by maximum flow for one shard.
func (s scene) spread() int {
	one := scene{old: make([][]uint64, 1), members: s.members, copies: s.copies}
	most := map[uint64]int{}
	for id := range s.eligible() {
		most[id] = 1
	}
	for k := 1; ; k++ {
		if placed, _ := one.fewest(k, most); placed == s.width() {
			return k
		}
	}
}
