package quorumlab

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// shardKey names a shard of a group.
type shardKey struct {
	group string
	shard int
}

// decision is a state of a shard: held under a token, or no longer. Decisions are ordered by their number.
type decision struct {
	number uint64 // 2 * token, 1 more when the holder under the token is lost
	holder string
	by     time.Duration // when it was made at the latest
}

func decisionOf(token uint64, held bool) uint64 {
	if held {
		return 2 * token
	}
	return 2*token + 1
}

// CheckOwners reports whether the reads of owners after a sync, among the calls of a history, have an order with the decisions about each shard in which each
// took effect between its begin and its end. Decisions take effect in the order of their tokens, each before the end of the first
// read that showed it and before its holder began.
func CheckOwners(calls []Call, spans []Span, within time.Duration) error {
	reads := map[shardKey][]Call{}
	for _, c := range calls {
		if c.Op == "owner" && !c.Failed && !c.OutcomeUnknown {
			k := shardKey{c.Group, c.Shard}
			reads[k] = append(reads[k], c)
		}
	}
	for k, part := range reads {
		decisions, err := decisionsOf(k, part, spans)
		if err != nil {
			return err
		}
		switch porcupine.CheckOperationsTimeout(ownerModel, ownerOperations(part, decisions), within) {
		case porcupine.Illegal:
			return fmt.Errorf("%s shard %d: %d reads of its owner have no order in which each took effect between its begin and its end", k.group, k.shard, len(part))
		case porcupine.Unknown:
			return fmt.Errorf("%s shard %d: no order was found for %d reads within %v", k.group, k.shard, len(part), within)
		}
	}
	return nil
}

// decisionsOf returns the decisions that reads of a shard showed and holders proved, in their order. Those long before the reads are left out.
func decisionsOf(k shardKey, reads []Call, spans []Span) ([]decision, error) {
	all := map[uint64]decision{}
	var other error
	add := func(d decision) {
		old, ok := all[d.number]
		if ok && old.holder != d.holder {
			other = fmt.Errorf("%s shard %d: token %d is of %q and of %q", k.group, k.shard, d.number/2, old.holder, d.holder)
		}
		if !ok || d.by < old.by {
			all[d.number] = d
		}
	}
	begin, end := time.Duration(math.MaxInt64), time.Duration(0)
	for _, c := range reads {
		add(decision{decisionOf(c.Token, c.Found), c.Output, c.End})
		begin, end = min(begin, c.Begin), max(end, c.End)
	}
	for _, s := range spans {
		if s.Group == k.group && s.Shard == k.shard && s.Begin <= end {
			add(decision{decisionOf(s.Token, true), s.Node, s.Begin})
		}
	}
	sorted := slices.SortedFunc(maps.Values(all), func(a, b decision) int { return cmp.Compare(a.number, b.number) })
	for len(sorted) > 1 && sorted[1].by < begin {
		sorted = sorted[1:]
	}
	return sorted, other
}

// ownerOperations returns decisions and reads as porcupine takes them.
func ownerOperations(reads []Call, decisions []decision) []porcupine.Operation {
	var all []porcupine.Operation
	for i, d := range decisions {
		all = append(all, porcupine.Operation{ClientId: i, Input: ownerInput{decide: true, number: d.number}, Return: int64(d.by)})
	}
	for _, c := range reads {
		all = append(all, porcupine.Operation{ClientId: len(all), Input: ownerInput{number: decisionOf(c.Token, c.Found)}, Call: int64(c.Begin), Return: int64(c.End)})
	}
	return all
}

// ownerInput is a decision, or a read that showed one.
type ownerInput struct {
	decide bool
	number uint64
}

// ownerModel is one shard: the state is the number of the last decision.
var ownerModel = porcupine.Model{
	Init: func() any { return uint64(0) },
	Step: func(state, input, _ any) (bool, any) {
		in := input.(ownerInput)
		if in.decide {
			return in.number > state.(uint64), in.number
		}
		return in.number == state.(uint64), state
	},
}
