package core

import (
	"flag"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

var histories = flag.Int("histories", 20, "number of random schedules whose histories porcupine checks")

// keyState is one key of the map, and what an operation returns of it.
type keyState struct {
	index uint64
	value string
}

type keyInput struct {
	write bool
	prev  uint64
	value string
}

type keyOutput struct {
	keyState
	code Code
}

// keyModel is a register with compare-and-set on the index of the last write.
var keyModel = porcupine.Model{
	Init: func() any { return keyState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(keyState), input.(keyInput), output.(keyOutput)
		switch {
		case !in.write:
			return out.keyState == s, s
		case out.code == OK:
			return s.index == in.prev && out.index > s.index, keyState{out.index, in.value}
		}
		return s.index != in.prev && out.index == s.index, s
	},
}

// keyOperations returns the operations on a key. A write without an answer is one if the log has it, which took its effect at the latest when it
// was first applied, and none otherwise.
func (h *history) keyOperations(all []*simRequest, key string) []porcupine.Operation {
	var ops []porcupine.Operation
	for i, r := range all {
		if r.key != key {
			continue
		}
		op := porcupine.Operation{ClientId: i, Input: keyInput{r.write, r.prev, string(r.value)}, Call: int64(r.began), Return: int64(r.ended)}
		e, effective := h.writes[string(r.value)]
		switch {
		case r.conclusive && r.write:
			op.Output = keyOutput{keyState{r.index, ""}, r.code}
		case r.conclusive:
			op.Input, op.Output = keyInput{}, keyOutput{keyState{r.index, string(r.value)}, r.code}
		case r.write && effective:
			op.Output, op.Return = keyOutput{keyState{e.index, ""}, OK}, int64(e.at)
		default:
			continue
		}
		ops = append(ops, op)
	}
	return ops
}

// shardInput is a change of a shard from one owner to the next; read: none.
type shardInput struct {
	read     bool
	from, to owner
}

// shardModel is a register that changes as the log says.
var shardModel = porcupine.Model{
	Init: func() any { return owner{} },
	Step: func(state, input, output any) (bool, any) {
		s, in := state.(owner), input.(shardInput)
		if in.read {
			return output.(owner) == s, s
		}
		return s == in.from, in.to
	},
}

// shardOperations returns the changes of a shard, each between the one before and its first application, and the reads after a Sync.
func (h *history) shardOperations(k shardKey) []porcupine.Operation {
	var ops []porcupine.Operation
	var last ownership
	for i, o := range h.owners[k] {
		ops = append(ops, porcupine.Operation{ClientId: i, Input: shardInput{from: last.owner, to: o.owner}, Call: int64(last.at), Return: int64(o.at)})
		last = o
	}
	for i, r := range h.syncs {
		ops = append(ops, porcupine.Operation{ClientId: 1e6 + i, Input: shardInput{read: true}, Output: r.owners[k], Call: int64(r.began), Return: int64(r.ended)})
	}
	return ops
}

// record plays a schedule with traffic and returns its history.
func record(t *testing.T, seed uint64, change func(*schedule)) *schedule {
	t.Helper()
	s := newSchedule(seed)
	s.traffic, s.history = true, newHistory()
	if change != nil {
		change(s)
	}
	if err := s.play(); err != nil && change == nil {
		t.Error(err)
	}
	return s
}

// firstRejected returns the first part of a history that is not linearizable, "" if there is none.
func firstRejected(t *testing.T, s *schedule) (what string, operations int) {
	t.Helper()
	check := func(name string, model porcupine.Model, ops []porcupine.Operation) {
		operations += len(ops)
		switch result, _ := porcupine.CheckOperationsVerbose(model, ops, time.Minute); result {
		case porcupine.Illegal:
			what = name
		case porcupine.Unknown:
			t.Errorf("seed %d: the check of %s took more than a minute", s.seed, name)
		}
	}
	for _, key := range simKeys {
		check("key "+key, keyModel, s.history.keyOperations(s.requests.all, key))
	}
	for k := range s.history.owners {
		check("a shard", shardModel, s.history.shardOperations(k))
	}
	return what, operations
}

func TestHistoriesOfTheMapAndOfOwnersAreLinearizable(t *testing.T) {
	t.Parallel()
	total, reads := 0, 0
	for i := range *histories {
		s := record(t, *firstSeed+uint64(i), nil)
		what, n := firstRejected(t, s)
		if what != "" {
			t.Errorf("seed %d: the history of %s is not linearizable", s.seed, what)
		}
		total += n
		reads += len(s.history.syncs)
	}
	t.Logf("%d histories, %d operations, %d of them reads of all shards", *histories, total, reads)
}

// A read that shows what was before the last write which had ended when it began is rejected, of a key and of a shard.
func TestAStaleReadIsNotLinearizable(t *testing.T) {
	t.Parallel()
	s := record(t, 1, nil)
	end := int64(s.w.Now)
	for _, key := range simKeys {
		ops := s.history.keyOperations(s.requests.all, key)
		if !porcupine.CheckOperations(keyModel, ops) {
			t.Fatalf("the history of %s is rejected as it is", key)
		}
		var before, last keyState
		for _, op := range ops {
			if in, out := op.Input.(keyInput), op.Output.(keyOutput); in.write && out.code == OK && out.index > last.index {
				before, last = last, keyState{out.index, in.value}
			}
		}
		ops = append(ops, porcupine.Operation{ClientId: 1e7, Input: keyInput{}, Output: keyOutput{before, OK}, Call: end + 1, Return: end + 2})
		if before.index == 0 || porcupine.CheckOperations(keyModel, ops) {
			t.Errorf("a read of %s that shows %d after %d was written is not rejected", key, before.index, last.index)
		}
	}
	for k, changes := range s.history.owners {
		ops, n := s.history.shardOperations(k), len(changes)
		if n < 2 {
			continue
		}
		ops = append(ops, porcupine.Operation{ClientId: 1e7, Input: shardInput{read: true}, Output: changes[n-2].owner, Call: end + 1, Return: end + 2})
		if porcupine.CheckOperations(shardModel, ops) {
			t.Errorf("a read of shard %v that shows %v after %v is not rejected", k, changes[n-2], changes[n-1])
		}
	}
}

func TestReadsWithoutAQuorumRoundAreFoundNotLinearizable(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		s := record(t, seed+1, func(s *schedule) { s.mutant.staleRead = true })
		if what, _ := firstRejected(t, s); what != "" {
			t.Logf("found by schedule %d: %s", seed+1, what)
			return
		}
	}
	t.Error("not found by 200 schedules")
}
