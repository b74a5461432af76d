package plan

import "slices"

// paths finds shortest augmenting paths: a shard takes a member without room, which gives up another shard, which takes another
// member, and so on to one with room. It is a breadth-first search over members in two queues (a 0-1 search): to give up a copy that the
// old table had costs 1, as it is a move, and one that was only just placed costs nothing.
//
// Each member is visited once, and a shard leads to nearly all members of the zones that it admits, so a search costs little more than the
// members and the shards of a few of them.
type paths struct {
	*table
	lists   [][]int32 // shards of each member; those that it does not have any more are skipped when met
	via     []step    // of each visited member: what it takes, and from which member
	unseen  [][]int32 // members of each zone that were not visited yet
	visited []int32   // shards that led to all zones in this search: number of the search
	search  int32
	near    []int32 // visited members whose new copies were not followed yet
	far     []int32 // visited members whose kept copies were not followed yet
}

// step is a shard that leaves a member for another one; by is none for the shard that lacks a copy.
type step struct{ shard, by int32 }

func newPaths(t *table, lists [][]int32) *paths {
	return &paths{
		table: t, lists: lists, via: make([]step, t.len()),
		unseen: make([][]int32, len(t.sizes)), visited: make([]int32, t.shards),
	}
}

// place gives the shards all copies that they lack. A path exists as long as the quotas can be met, which they always can (see the package
// comment).
func (p *paths) place(shards []int) {
	for _, shard := range shards {
		for p.counts[shard] < p.copies {
			m := p.find(int32(shard))
			if m == none {
				break
			}
			p.apply(m)
		}
	}
}

// find returns the member with room at the end of the cheapest path from a shard, or none.
func (p *paths) find(shard int32) int32 {
	p.begin()
	if m := p.follow(step{shard, none}); m != none {
		return m
	}
	return p.run()
}

// relieve moves one copy of a member on the cheapest path to one with room, and reports whether there is such a path.
func (p *paths) relieve(m int32) bool {
	p.begin()
	i := slices.Index(p.unseen[p.zones[m]], m)
	p.unseen[p.zones[m]] = slices.Delete(p.unseen[p.zones[m]], i, i+1)
	p.via[m] = step{none, none}
	p.near = append(p.near, m)
	end := p.run()
	if end == none {
		return false
	}
	p.apply(end)
	return true
}

// run searches from the members in near, of which all cost the same. Each goes on to far once its new copies were followed, as to follow
// its kept copies costs 1 more.
func (p *paths) run() int32 {
	for len(p.near)+len(p.far) > 0 {
		for len(p.near) > 0 {
			m := p.near[0]
			p.near = p.near[1:]
			p.far = append(p.far, m)
			if end := p.followAll(m, false); end != none {
				return end
			}
		}
		dear := p.far
		p.far = nil
		for _, m := range dear {
			if end := p.followAll(m, true); end != none {
				return end
			}
		}
	}
	return none
}

// begin forgets what the last search visited.
func (p *paths) begin() {
	p.search++
	p.near, p.far = p.near[:0], nil
	for zone := range p.unseen {
		p.unseen[zone] = p.unseen[zone][:0]
	}
	for m, zone := range p.zones {
		p.unseen[zone] = append(p.unseen[zone], int32(m))
	}
}

// followAll follows the kept or the new copies of a member.
func (p *paths) followAll(m int32, kept bool) int32 {
	for _, shard := range p.lists[m] {
		i := slices.Index(p.row(int(shard)), m)
		if i < 0 || p.kept[int(shard)*p.copies+i] != kept {
			continue
		}
		if end := p.follow(step{shard, m}); end != none {
			return end
		}
	}
	return none
}

// follow visits the members that can take a shard from another one, and returns one with room, the one with the highest score,
// if there is any.
func (p *paths) follow(s step) int32 {
	end := none
	if s.by != none { // the zone of the member that makes way has room by that
		end = p.visit(s, p.zones[s.by], end)
	}
	if p.visited[s.shard] == p.search {
		return end
	}
	p.visited[s.shard] = p.search
	for zone := range p.unseen {
		if len(p.unseen[zone]) > 0 && p.inZone(int(s.shard), zone) < p.perZone {
			end = p.visit(s, zone, end)
		}
	}
	return end
}

// visit visits the members of a zone that do not have the shard, and returns the better of best and the best one with room.
func (p *paths) visit(s step, zone int, best int32) int32 {
	left := p.unseen[zone][:0]
	for _, m := range p.unseen[zone] {
		if p.has(int(s.shard), m) {
			left = append(left, m)
			continue
		}
		p.via[m] = s
		p.near = append(p.near, m)
		if p.hasRoom(m) && (best == none || p.score(int(s.shard), m) > p.score(int(s.shard), best)) {
			best = m
		}
	}
	p.unseen[zone] = left
	return best
}

// apply moves the copies along the path that ends at a member.
func (p *paths) apply(m int32) {
	for {
		s := p.via[m]
		if s.shard == none { // the member that was relieved
			return
		}
		p.lists[m] = append(p.lists[m], s.shard)
		if s.by == none {
			p.add(int(s.shard), m)
			return
		}
		p.replace(int(s.shard), s.by, m)
		m = s.by
	}
}
