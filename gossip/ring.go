package gossip

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Ring assigns keys to members by rendezvous hashing (Thaler and Ravishankar 1998): each member has a score for each key, and those with
// the highest scores own it. All nodes with the same members make the same assignment, without talking to each other; when a member
// comes or goes only the keys that it owns move, and they spread over all others. It is a hint, not a lock: while views differ, two
// nodes may take themselves for the owner of one key.
//
// A Ring is never changed and may be used by many goroutines. Looking up an owner costs a multiplication per member.
type Ring struct {
	members []*Member // by name
	zoned   bool      // several zones are known
}

// RingConfig selects which members of a view take part in a [Ring].
type RingConfig struct {
	// Only selects members; nil takes all. Those that are not up never take part.
	Only func(*Member) bool
}

// NewRing returns the ring of the members that are up in a view.
func NewRing(v *View, c RingConfig) *Ring {
	r := &Ring{}
	for m := range v.All() {
		if !m.Up() || c.Only != nil && !c.Only(m) {
			continue
		}
		r.zoned = r.zoned || len(r.members) > 0 && m.Zone != r.members[0].Zone
		r.members = append(r.members, m)
	}
	return r
}

// Len returns the number of members that take part.
func (r *Ring) Len() int { return len(r.members) }

// Owner returns the member that owns a key, nil if there are none.
func (r *Ring) Owner(key string) *Member {
	hash := core.HashKey(key)
	var best *Member
	var highest uint64
	for _, m := range r.members {
		if s := ringScore(hash, m); best == nil || s > highest {
			best, highest = m, s
		}
	}
	return best
}

// Owners returns up to n different members for a key, the owner first. Where members publish zones (Config.Zone), each zone gives one
// before any gives a second, so that copies survive the loss of a zone.
func (r *Ring) Owners(key string, n int) []*Member {
	hash := core.HashKey(key)
	type scored struct {
		m     *Member
		score uint64
		turn  int // how many of its zone come before it
	}
	all := make([]scored, len(r.members))
	for i, m := range r.members {
		all[i] = scored{m: m, score: ringScore(hash, m)}
	}
	slices.SortFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	if r.zoned {
		turns := map[string]int{}
		for i := range all {
			all[i].turn = turns[all[i].m.Zone]
			turns[all[i].m.Zone]++
		}
		slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(a.turn, b.turn) })
	}
	owners := make([]*Member, max(0, min(n, len(all))))
	for i := range owners {
		owners[i] = all[i].m
	}
	return owners
}

// ringScore is what a member bids for a key.
func ringScore(hash uint64, m *Member) uint64 { return core.Mix(hash ^ uint64(core.HashID(m.Name))) }

// WatchRing yields the present ring and then each that has other members, until ctx or the node ends. A slow reader misses rings in
// between, never the newest.
func (n *Node) WatchRing(ctx context.Context, c RingConfig) iter.Seq[*Ring] {
	return func(yield func(*Ring) bool) {
		var last *Ring
		for v := range n.eachView(ctx) {
			r := NewRing(v, c)
			if last != nil && slices.EqualFunc(last.members, r.members, sameOwner) {
				continue
			}
			if last = r; !yield(r) {
				return
			}
		}
	}
}

// sameOwner reports whether two members stand for the same process in a ring.
func sameOwner(a, b *Member) bool {
	return a.Name == b.Name && a.Generation == b.Generation && a.Addr == b.Addr && a.Zone == b.Zone
}
