package plan

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// check checks all that Plan promises for any input.
func check(s scene) error {
	before := fmt.Sprint(s.old, s.members)
	rows := s.plan()
	if fmt.Sprint(s.old, s.members) != before {
		return fmt.Errorf("the input was changed")
	}
	if len(rows) != len(s.old) {
		return fmt.Errorf("%d rows, want %d", len(rows), len(s.old))
	}
	for _, f := range []func(scene, [][]uint64) error{checkRows, checkBalance, checkHolders, checkMoves, checkStable} {
		if err := f(s, rows); err != nil {
			return err
		}
	}
	return nil
}

// checkRows wants each shard to have all copies, at different members, in as many zones as there can be.
func checkRows(s scene, rows [][]uint64) error {
	members, most := s.eligible(), s.spread()
	for shard, row := range rows {
		if len(row) != s.width() {
			return fmt.Errorf("shard %d: %d members, want %d", shard, len(row), s.width())
		}
		zones := map[string]int{}
		for i, id := range row {
			m, ok := members[id]
			if !ok || slices.Contains(row[:i], id) {
				return fmt.Errorf("shard %d: row %v: %d is repeated or takes no shards", shard, row, id)
			}
			if zones[m.Zone]++; zones[m.Zone] > most {
				return fmt.Errorf("shard %d: row %v has %d copies in zone %s, want at most %d", shard, row, zones[m.Zone], m.Zone, most)
			}
		}
	}
	return nil
}

// checkBalance wants that no copy could go from a member that is rounded up by more than one to one rounded down by more than one.
// Only a member that has a copy of each shard, and a zone that is full, may have less than their share by weight.
func checkBalance(s scene, rows [][]uint64) error {
	members, has, spread := s.eligible(), loads(rows), s.spread()
	inZone, size := map[string]int{}, map[string]int{}
	for id, m := range members {
		inZone[m.Zone] += has[id]
		size[m.Zone]++
	}
	for i, a := range members {
		for j, b := range members {
			if (has[i]-1)*b.Weight < (has[j]+1)*a.Weight {
				continue
			}
			full := inZone[b.Zone] == len(rows)*min(spread, size[b.Zone]) && a.Zone != b.Zone
			if has[j] < len(rows) && !full {
				return fmt.Errorf("%d with weight %d has %d copies, %d with weight %d has %d", i, a.Weight, has[i], j, b.Weight, has[j])
			}
		}
	}
	return nil
}

// checkHolders wants that no hand-over within a row makes the sum of held²/weight smaller.
func checkHolders(s scene, rows [][]uint64) error {
	members, held := s.eligible(), loads(holders(rows))
	for shard, row := range rows {
		for _, id := range row[min(1, len(row)):] {
			a, b := members[row[0]], members[id]
			if (2*held[a.ID]-1)*b.Weight > (2*held[id]+1)*a.Weight {
				return fmt.Errorf("shard %d: %d with weight %d holds %d, its standby %d with weight %d holds %d",
					shard, a.ID, a.Weight, held[a.ID], id, b.Weight, held[id])
			}
		}
	}
	return nil
}

// checkMoves wants the fewest moves with one copy, and with several at most a few more than the least that a minimum-cost flow finds.
func checkMoves(s scene, rows [][]uint64) error {
	spread := s.spread()
	kept := s.usable(spread)
	moved := added(kept, rows)
	if s.width() == 1 {
		if needed := lowerBound(s, kept); moved != needed {
			return fmt.Errorf("%d shards moved, want %d", moved, needed)
		}
	}
	placed, least := s.fewest(spread, loads(rows))
	if placed != len(rows)*s.width() {
		return fmt.Errorf("maximum flow places %d copies, the plan %d", placed, len(rows)*s.width())
	}
	if moved > least+least/5+3 {
		return fmt.Errorf("%d copies moved, %d would do", moved, least)
	}
	return nil
}

// lowerBound returns the fewest shards that must move with one copy. All that is above a share rounded up, or has no holder, must move, and
// all that a member lacks of its share rounded down; one move can serve both.
func lowerBound(s scene, kept [][]uint64) int {
	members, has, weights := s.eligible(), loads(kept), 0
	for _, m := range members {
		weights += m.Weight
	}
	leave, arrive := 0, 0
	for _, row := range kept {
		if len(row) == 0 {
			leave++
		}
	}
	for id, m := range members {
		down := len(kept) * m.Weight / weights
		up := (len(kept)*m.Weight + weights - 1) / weights
		leave += max(0, has[id]-up)
		arrive += max(0, down-has[id])
	}
	return max(leave, arrive)
}

// checkStable wants the same result for the same input in another order, and no change when nothing changed.
func checkStable(s scene, rows [][]uint64) error {
	members := slices.Clone(s.members)
	slices.SortStableFunc(members, func(a, b Member) int { return -1 })
	slices.SortStableFunc(members, func(a, b Member) int { return int(a.ID%7) - int(b.ID%7) }) // IDs that are equal keep their order
	again := Plan(s.old, slices.Clone(s.members), s.copies)
	if !reflect.DeepEqual(again, rows) {
		return fmt.Errorf("two results for one input")
	}
	if distinct(s.members) && !reflect.DeepEqual(Plan(s.old, members, s.copies), rows) {
		return fmt.Errorf("another result for members in another order")
	}
	if next := Plan(rows, s.members, s.copies); !reflect.DeepEqual(next, rows) {
		return fmt.Errorf("planned again, the plan becomes\n%v, and was\n%v", next, rows)
	}
	return nil
}

func distinct(members []Member) bool {
	seen := map[uint64]bool{}
	for _, m := range members {
		if seen[m.ID] {
			return false
		}
		seen[m.ID] = true
	}
	return true
}

func TestAPlanKeepsItsPromisesForAnyTable(t *testing.T) {
	for _, most := range []int{8, 80} {
		for seed := range uint64(500) {
			s := randomScene(rand.New(rand.NewPCG(seed, 1)), most)
			if err := check(s); err != nil {
				t.Fatalf("seed %d, fewer than %d shards: %v\n%v", seed, most, err, s)
			}
		}
	}
}
