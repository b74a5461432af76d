package plan

import (
	"cmp"
	"slices"
)

// copyQuota returns how many copies each member has in the end; loads is how many each has now. A zone that by weight would get
// more than perZone copies of each shard is filled to that, and the rest divided among the others, whose shares only grow by that. A member
// to which more is pinned than its share keeps what is pinned, and the others divide what is left.
func (p *pool) copyQuota(loads, pinned []int, shards, copies, perZone int) []int {
	quota := make([]int, p.len())
	open := p.members()
	amount := shards * copies
	room := make([]int, len(p.sizes)) // copies that a zone may have
	for zone, size := range p.sizes {
		room[zone] = shards * min(perZone, size)
	}
	for {
		shares := divide(amount, p.weights, p.caps(shards, open))
		if fixed := fixPinned(quota, &open, shares, pinned); len(fixed) > 0 {
			for _, m := range fixed {
				amount -= quota[m]
				room[p.zones[m]] = max(0, room[p.zones[m]]-quota[m])
			}
			continue
		}
		zone := p.overfull(shares, room)
		if zone < 0 {
			p.round(quota, open, shares, loads, amount, p.zoneRoom(shares, room))
			return quota
		}
		inside, outside := p.split(open, zone)
		most := room[zone]
		shares = divide(most, p.weights, p.caps(shards, inside))
		p.round(quota, inside, shares, loads, most, p.zoneRoom(shares, room))
		open, amount = outside, amount-most
	}
}

// fixPinned sets the quotas of those members to which more is pinned than their share, takes them out of the open ones, and returns them.
func fixPinned(quota []int, open *[]int32, shares []share, pinned []int) []int32 {
	if pinned == nil {
		return nil
	}
	var fixed, left []int32
	for _, m := range *open {
		if pinned[m] > shares[m].whole {
			quota[m] = pinned[m]
			fixed = append(fixed, m)
		} else {
			left = append(left, m)
		}
	}
	*open = left
	return fixed
}

// holderQuota returns how many shards each member holds in the end, at most as many as it has copies; held is how many it
// holds now. Zones do not matter for it.
func (p *pool) holderQuota(held, copies []int, shards int) []int {
	quota := make([]int, p.len())
	p.round(quota, p.members(), divide(shards, p.weights, copies), held, shards, slices.Clone(p.sizes))
	return quota
}

// caps returns the most copies that each member may have: one of each shard if it is among those given, else none.
func (p *pool) caps(shards int, among []int32) []int {
	caps := make([]int, p.len())
	for _, m := range among {
		caps[m] = shards
	}
	return caps
}

// split returns the members of a zone and the others.
func (p *pool) split(members []int32, zone int) (inside, outside []int32) {
	for _, m := range members {
		if p.zones[m] == zone {
			inside = append(inside, m)
		} else {
			outside = append(outside, m)
		}
	}
	return inside, outside
}

// overfull returns a zone of which the shares add up to more than its room, or -1.
func (p *pool) overfull(shares []share, room []int) int {
	sums := make([]share, len(p.sizes))
	for m, s := range shares {
		sums[p.zones[m]] = sums[p.zones[m]].plus(s)
	}
	for zone := range p.sizes {
		if sums[zone].exceeds(room[zone]) {
			return zone
		}
	}
	return -1
}

// zoneRoom returns how many shares of each zone may be rounded up, if room is what it may have.
func (p *pool) zoneRoom(shares []share, room []int) []int {
	left := slices.Clone(room)
	for m, s := range shares {
		left[p.zones[m]] -= s.whole
	}
	return left
}

// round makes whole numbers of the shares of some members that add up to amount, each rounded down or up. Those are rounded up first that
// have more than the share rounded down (nothing needs to move), then those with the greatest fractions, then those with the lowest
// IDs. room has how many of each zone may be rounded up, and is changed. Choosing in this order moves the fewest: the sets
// that may be rounded up are the independent sets of a matroid, for which the greedy choice is the best one.
func (p *pool) round(quota []int, members []int32, shares []share, loads []int, amount int, room []int) {
	var up []int32
	for _, m := range members {
		quota[m] = shares[m].whole
		amount -= quota[m]
		if shares[m].rest > 0 {
			up = append(up, m)
		}
	}
	more := func(m int32) int { return min(1, max(0, loads[m]-quota[m])) }
	slices.SortStableFunc(up, func(a, b int32) int {
		return cmp.Or(more(b)-more(a), shares[b].compareRest(shares[a]))
	})
	for _, m := range up {
		if zone := p.zones[m]; amount > 0 && room[zone] > 0 {
			quota[m]++
			room[zone]--
			amount--
		}
	}
}
