package plan

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func TestMovesAreOrderedByUrgency(t *testing.T) {
	members := []Member{{ID: 1, Weight: 1}, {ID: 2, Weight: 1}, {ID: 3, Weight: 1, Drain: true}, {ID: 1, Drain: true}}
	for _, c := range []struct {
		name     string
		from, to []uint64
		want     string
	}{
		{"nothing to do", []uint64{1, 2}, []uint64{1, 2}, ""},
		{"standbys in another order", []uint64{1, 2, 3}, []uint64{1, 3, 2}, ""},
		{"no row at all", nil, []uint64{1}, "vacant"},
		{"no row and no target", nil, nil, ""},
		{"the holder is gone", []uint64{9}, []uint64{1}, "vacant"},
		{"the holder is gone and no member can have it", []uint64{9}, nil, "vacant"},
		{"the holder is gone, its standby holds", []uint64{9, 2}, []uint64{2, 1}, "vacant"},
		{"a standby is gone", []uint64{1, 9}, []uint64{1, 2}, "missing"},
		{"a standby more", []uint64{1}, []uint64{1, 2}, "missing"},
		{"a standby is gone and another loses its copy", []uint64{1, 9, 2}, []uint64{1, 3, 4}, "balance"},
		{"the holder drains", []uint64{3}, []uint64{1}, "drain"},
		{"the holder drains and no member can have it", []uint64{3}, nil, "drain"},
		{"a standby drains", []uint64{1, 3}, []uint64{1, 2}, "drain"},
		{"another holder", []uint64{1}, []uint64{2}, "balance"},
		{"the same members, another holder", []uint64{1, 2}, []uint64{2, 1}, "balance"},
	} {
		got := ""
		for _, m := range Moves([][]uint64{c.from}, [][]uint64{c.to}, members, Limits{AtOnce: 1, Balance: 1}) {
			got += m.Reason.String()
		}
		if got != c.want {
			t.Errorf("%s: %v to %v moves for %q, want %q", c.name, c.from, c.to, got, c.want)
		}
	}
}

func TestMovesKeepToTheirLimits(t *testing.T) {
	members := []Member{{ID: 1, Weight: 1}, {ID: 2, Weight: 1}, {ID: 3, Weight: 1, Drain: true}}
	var current, target [][]uint64
	for range 10 { // shards 0, 4, 8 … are vacant, 1, 5, 9 … lack a copy, 2, 6 … drain, 3, 7 … are for balance
		current = append(current, []uint64{9}, []uint64{1}, []uint64{3}, []uint64{1})
		target = append(target, []uint64{1}, []uint64{1, 2}, []uint64{1}, []uint64{2})
	}
	for _, c := range []struct {
		limits Limits
		want   [5]int
	}{
		{Limits{}, [5]int{10, 10, 0, 0, 0}},
		{Limits{AtOnce: -1, Balance: -1}, [5]int{10, 10, 0, 0, 0}},
		{Limits{AtOnce: 4, Balance: 100}, [5]int{10, 10, 0, 4, 0}},
		{Limits{AtOnce: 15, Balance: 100}, [5]int{10, 10, 0, 10, 5}},
		{Limits{AtOnce: 15, Balance: 2}, [5]int{10, 10, 0, 10, 2}},
		{Limits{AtOnce: 12, Asked: []int{3, 7, 0, 2}, Balance: 100}, [5]int{10, 10, 2, 10, 0}},
		{Limits{AtOnce: 100}, [5]int{10, 10, 0, 10, 0}},
		{Limits{AtOnce: 100, Balance: 100}, [5]int{10, 10, 0, 10, 10}},
		{Limits{AtOnce: 5, InFlight: []int{2, 3, 3}, Balance: 100}, [5]int{10, 10, 0, 3, 0}},
		{Limits{AtOnce: 2, InFlight: []int{2, 3, 0, 7}, Balance: 100}, [5]int{9, 10, 0, 0, 0}},
	} {
		var got [5]int
		last := Move{Shard: -1}
		for _, m := range Moves(current, target, members, c.limits) {
			got[m.Reason]++
			if m.Reason < last.Reason || m.Reason == last.Reason && m.Shard <= last.Shard {
				t.Errorf("%+v: %v comes after %v", c.limits, m, last)
			}
			if slices.Contains(c.limits.InFlight, m.Shard) {
				t.Errorf("%+v: shard %d is in flight", c.limits, m.Shard)
			}
			last = m
		}
		if got != c.want {
			t.Errorf("%+v: moves %v, want %v", c.limits, got, c.want)
		}
	}
}

func TestMovesAcceptTablesOfAnyLength(t *testing.T) {
	members := equal(2, 0)
	limits := Limits{AtOnce: 9, Balance: 9}
	if got := Moves([][]uint64{{1}}, [][]uint64{{1}, {2}}, members, limits); !reflect.DeepEqual(got, []Move{{1, Vacant}}) {
		t.Errorf("a longer target moves %v, want shard 1", got)
	}
	if got := Moves([][]uint64{{1}, {2}}, [][]uint64{{2}}, members, limits); !reflect.DeepEqual(got, []Move{{0, Balance}}) {
		t.Errorf("a shorter target moves %v, want shard 0", got)
	}
}

// Each round plans from where the last one came to, as a leader does, and moves a few shards only.
func TestMovesInSmallStepsLeadToAPlanWithFewMoves(t *testing.T) {
	for _, copies := range []int{1, 2, 3} {
		inSteps, atOnce := 0, 0
		for seed := range uint64(300) {
			r := rand.New(rand.NewPCG(seed, 2))
			s := randomScene(r, 80)
			s.copies = copies
			s.old = s.usable(s.spread())
			needed := added(s.old, s.plan())
			moved, err := s.walk(Limits{AtOnce: 1 + r.IntN(5), Balance: 1 + r.IntN(3)})
			if err != nil {
				t.Fatalf("seed %d: %v\n%v", seed, err, s)
			}
			if copies == 1 && moved != needed {
				t.Errorf("seed %d: %d moves in steps, %d at once\n%v", seed, moved, needed, s)
			}
			inSteps, atOnce = inSteps+moved, atOnce+needed
		}
		if t.Logf("%d copies: %d moves in steps, %d at once", copies, inSteps, atOnce); inSteps > atOnce+atOnce/10 {
			t.Errorf("%d copies: %d moves in steps, want about %d", copies, inSteps, atOnce)
		}
	}
}

// walk plans and moves within the limits until nothing is left to move, and returns how many copies were placed.
func (s scene) walk(limits Limits) (moved int, err error) {
	for range 20 + 40*len(s.old) {
		target := s.plan()
		moves := Moves(s.old, target, s.members, limits)
		if len(moves) == 0 {
			if fmt.Sprint(s.old) != fmt.Sprint(target) && !slices.EqualFunc(s.old, target, same) {
				err = fmt.Errorf("no more moves from %v to %v", s.old, target)
			}
			return moved, err
		}
		next := slices.Clone(s.old)
		for _, m := range moves {
			next[m.Shard] = target[m.Shard]
		}
		moved += added(s.old, next)
		s.old = next
	}
	return moved, fmt.Errorf("%d rounds do not suffice", 20+40*len(s.old))
}

func TestChurnIsFivePercentAndNeverNothing(t *testing.T) {
	for shards, want := range map[int]int{0: 1, 1: 1, 39: 1, 40: 2, 65536: 3276} {
		if got := Churn(shards); got != want {
			t.Errorf("Churn(%d) = %d, want %d", shards, got, want)
		}
	}
}

func TestReasonsAreWords(t *testing.T) {
	if got := fmt.Sprint(Vacant, Missing, Drain, Balance, Reason(9)); got != "vacant missing drain balance Reason(9)" {
		t.Errorf("reasons are %s", got)
	}
}
