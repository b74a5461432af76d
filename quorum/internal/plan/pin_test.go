package plan

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// checkPins demands that a plan with pins follows each that can be followed and has all copies of each shard, and that with one copy
// the shares of members to which less is pinned than their share differ by weight alone, as without pins.
func checkPins(s scene, pins map[int]uint64, rows [][]uint64) error {
	takes, width := s.eligible(), s.width()
	pinned := map[uint64]int{}
	for shard, row := range rows {
		if len(row) != width || len(unique(row)) != width {
			return fmt.Errorf("shard %d has %v, want %d different members", shard, row, width)
		}
		for _, id := range row {
			if _, ok := takes[id]; !ok {
				return fmt.Errorf("shard %d is at %d, which takes no shards", shard, id)
			}
		}
		if id, ok := pins[shard]; ok {
			if _, ok := takes[id]; ok {
				pinned[id]++
				if row[0] != id {
					return fmt.Errorf("shard %d is held by %d, it is pinned to %d", shard, row[0], id)
				}
			}
		}
	}
	if s.copies != 1 {
		return nil
	}
	held := loads(rows)
	for a, ma := range takes {
		for b, mb := range takes {
			// a has more than its pins, so that one of its shards could go to b
			if held[a] > pinned[a] && (held[a]-1)*min(mb.Weight, MaxWeight) > (held[b]+1)*min(ma.Weight, MaxWeight) {
				return fmt.Errorf("%d has %d shards, %d of them pinned, and %d has %d", a, held[a], pinned[a], b, held[b])
			}
		}
	}
	return nil
}

func unique(row []uint64) map[uint64]bool {
	out := map[uint64]bool{}
	for _, id := range row {
		out[id] = true
	}
	return out
}

func TestPinsAreFollowedAndTheOthersShareWhatIsLeft(t *testing.T) {
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := randomScene(r, 60)
		if len(s.eligible()) == 0 || !distinct(s.members) {
			continue
		}
		pins := map[int]uint64{}
		for range r.IntN(1 + len(s.old)) {
			pins[r.IntN(len(s.old)+2)] = s.members[r.IntN(len(s.members))].ID
		}
		rows := PlanPinned(s.old, s.members, s.copies, pins)
		if err := checkPins(s, pins, rows); err != nil {
			t.Fatalf("seed %d: %v\n%v\npins %v\nplan %v", seed, err, s, pins, rows)
		}
		if s.copies > 1 {
			continue
		}
		if again := PlanPinned(rows, s.members, s.copies, pins); !reflect.DeepEqual(again, rows) {
			t.Fatalf("seed %d: a plan of the plan differs\n%v\npins %v\nplan  %v\nagain %v", seed, s, pins, rows, again)
		}
	}
}

func TestPinsBeyondTheTableOrToUnknownMembersChangeNothing(t *testing.T) {
	s := scene{old: make([][]uint64, 12), members: equal(4, 2), copies: 2}
	if got := PlanPinned(s.old, s.members, s.copies, map[int]uint64{3: 99, 12: 1, -1: 1}); !reflect.DeepEqual(got, s.plan()) {
		t.Errorf("plan %v, want %v", got, s.plan())
	}
}

func TestAPinnedShardMovesAsSoonAsAnOperatorAsks(t *testing.T) {
	members := equal(2, 0)
	current, target := [][]uint64{{1}, {1}}, [][]uint64{{2}, {2}}
	got := Moves(current, target, members, Limits{AtOnce: 2, Asked: []int{1}})
	if want := []Move{{1, Asked}}; !reflect.DeepEqual(got, want) {
		t.Errorf("moves %v, want %v: the other one waits until the membership is quiet", got, want)
	}
}
