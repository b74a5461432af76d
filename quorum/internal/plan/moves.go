package plan

import (
	"fmt"
	"slices"
)

// DefaultAtOnce is how many hand-overs are in flight at a time unless a setting says otherwise.
const DefaultAtOnce = 32

// Churn returns how many shards of a group may move for balance alone within a minute: 5 %, at least 1. It is the
// budget that Slicer gives to its balancer (Adya et al., OSDI 2016).
func Churn(shards int) int { return max(1, shards/20) }

// Reason is why a shard moves.
type Reason uint8

// The reasons, the most urgent first.
const (
	Vacant  Reason = iota // no live member holds the shard
	Missing               // it lacks a copy; the members that it has stay
	Asked                 // an operator wants it elsewhere
	Drain                 // a draining member has it
	Balance               // only the shares of the members become fairer
)

// String returns the reason as a word, such as "drain".
func (r Reason) String() string {
	names := [...]string{"vacant", "missing", "asked", "drain", "balance"}
	if int(r) >= len(names) {
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
	return names[r]
}

// Move is a shard that should now go from its row of the current table to that of the target.
type Move struct {
	Shard  int
	Reason Reason
}

// Limits bound the moves that take something from a live member.
type Limits struct {
	InFlight []int // shards whose hand-over has begun and not ended, in any order; none of them is returned
	Asked    []int // shards of which every move is one that an operator asked for, in any order
	AtOnce   int   // most hand-overs in flight, those of InFlight included; see DefaultAtOnce
	Balance  int   // what is left of Churn in this minute; 0 while the membership is not quiet
}

// Moves returns which shards should move now from the current table to the target, the most urgent first and those of one reason in the
// order of the shards, but hand-overs between the members of a row after the others. Moves for the reasons Vacant and Missing take a
// shard from no live holder and are all returned. Those for the other reasons share what AtOnce leaves over, in their order, and Balance
// has its own limit besides. A limit below 0 counts as 0.
//
// members are the live ones, draining ones included; whoever is in a row and not among them counts as gone. The order of the
// standbys in a row does not matter. A current row beyond the end of its table counts as empty; rows beyond the end of
// the target are left alone.
func Moves(current, target [][]uint64, members []Member, limits Limits) []Move {
	live := make(map[uint64]bool, len(members))  // true if it drains
	for _, m := range slices.Backward(members) { // of two with one ID the first counts, as in Plan
		live[m.ID] = m.Drain
	}
	inFlight, asked := set(limits.InFlight), set(limits.Asked)
	var byReason [Balance + 1][]Move
	for shard, to := range target {
		if inFlight[shard] {
			continue
		}
		if reason, moves := reasonOf(rowOf(current, shard), to, live); moves {
			if asked[shard] && reason == Balance {
				reason = Asked
			}
			byReason[reason] = append(byReason[reason], Move{shard, reason})
		}
	}
	atOnce := max(0, limits.AtOnce-len(inFlight))
	byReason[Balance] = orderBalance(byReason[Balance], current, target, members)
	urgent := slices.Concat(byReason[Asked], byReason[Drain])
	urgent = urgent[:min(atOnce, len(urgent))]
	balance := byReason[Balance][:min(atOnce-len(urgent), max(0, limits.Balance), len(byReason[Balance]))]
	return slices.Concat(byReason[Vacant], byReason[Missing], urgent, balance)
}

func set(shards []int) map[int]bool {
	out := make(map[int]bool, len(shards))
	for _, shard := range shards {
		out[shard] = true
	}
	return out
}

// rowOf returns a row of a table, nil beyond its end.
func rowOf(table [][]uint64, shard int) []uint64 {
	if shard < len(table) {
		return table[shard]
	}
	return nil
}

// reasonOf returns why a shard should go from one row to another; false if there is nothing to do. live has the live members, with true
// for those that drain.
func reasonOf(from, to []uint64, live map[uint64]bool) (Reason, bool) {
	isLive := func(id uint64) bool { _, ok := live[id]; return ok }
	if same(from, to) {
		return 0, false
	}
	if len(from) == 0 || !isLive(from[0]) {
		return Vacant, true
	}
	taken, drains := len(to) == 0 || from[0] != to[0], false // taken: a live member loses the shard or holds it no longer
	for _, id := range from {
		if isLive(id) && !slices.Contains(to, id) {
			taken, drains = true, drains || live[id]
		}
	}
	switch {
	case !taken:
		return Missing, true
	case drains:
		return Drain, true
	}
	return Balance, true
}

// orderBalance puts the moves of copies first, then the hand-overs within rows that make the division of the shards fairer as it is now,
// then those that do so after others. So each step makes the rest shorter, whichever the limits cut off.
func orderBalance(moves []Move, current, target [][]uint64, members []Member) []Move {
	held, weight := make(map[uint64]int), make(map[uint64]int)
	for _, m := range slices.Backward(members) {
		weight[m.ID] = min(m.Weight, MaxWeight)
	}
	for _, row := range current {
		if len(row) > 0 {
			held[row[0]]++
		}
	}
	var byTurn [3][]Move
	for _, m := range moves {
		from, to := current[m.Shard], target[m.Shard]
		switch {
		case !sameMembers(from, to):
			byTurn[0] = append(byTurn[0], m)
		case (2*held[from[0]]-1)*weight[to[0]] > (2*held[to[0]]+1)*weight[from[0]]: // Σ held²/weight falls
			held[from[0]]--
			held[to[0]]++
			byTurn[1] = append(byTurn[1], m)
		default:
			byTurn[2] = append(byTurn[2], m)
		}
	}
	return slices.Concat(byTurn[:]...)
}

// sameMembers reports whether two rows have the same members in any order.
func sameMembers(a, b []uint64) bool {
	within := func(a, b []uint64) bool {
		return !slices.ContainsFunc(a, func(id uint64) bool { return !slices.Contains(b, id) })
	}
	return len(a) == len(b) && within(a, b) && within(b, a) // both, as a row may repeat a member
}

// same reports whether two rows have the same holder and the same standbys in any order.
func same(a, b []uint64) bool {
	return len(a) == 0 && len(b) == 0 || sameMembers(a, b) && a[0] == b[0]
}
