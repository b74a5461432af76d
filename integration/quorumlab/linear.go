package quorumlab

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// CheckLinear reports whether calls on the map have an order in which each took effect between its begin and its end. The error is that they
// have none, or that the search did not end in time.
func CheckLinear(calls []Call, within time.Duration) error {
	switch porcupine.CheckOperationsTimeout(mapModel, operations(calls), within) {
	case porcupine.Ok:
		return nil
	case porcupine.Illegal:
		return fmt.Errorf("%d calls have no order in which each took effect between its begin and its end", len(calls))
	}
	return fmt.Errorf("no order was found for %d calls within %v", len(calls), within)
}

// operations returns calls on the map as porcupine takes them. One whose outcome is not known may take effect at any time after its begin, or never,
// which is the same as after all others. One that failed did nothing, and a read without an outcome shows nothing.
func operations(calls []Call) []porcupine.Operation {
	var all []porcupine.Operation
	clients := map[string]int{}
	for i, c := range calls {
		if c.Failed || c.Group != "" || c.OutcomeUnknown && c.Op == "get" {
			continue
		}
		if _, ok := clients[c.Client]; !ok {
			clients[c.Client] = len(clients)
		}
		o := porcupine.Operation{ClientId: clients[c.Client], Input: c, Call: int64(c.Begin), Output: c, Return: int64(c.End)}
		if c.OutcomeUnknown {
			o.ClientId, o.Return = 1_000_000+i, math.MaxInt64 // the client goes on before it returns
		}
		all = append(all, o)
	}
	return all
}

// mapModel is the map of one key: the state is its value, nil if it is not there.
var mapModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := map[string][]porcupine.Operation{}
		for _, o := range history {
			key := o.Input.(Call).Key
			keys[key] = append(keys[key], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range keys {
			parts = append(parts, part)
		}
		return parts
	},
	Init:  func() any { return value{} },
	Step:  func(state, _, output any) (bool, any) { return step(state.(value), output.(Call)) },
	Equal: func(a, b any) bool { return a == b },
}

// value is that of a key.
type value struct {
	text  string
	found bool
}

// step applies a call to a value; false if its outcome cannot follow.
func step(v value, c Call) (bool, value) {
	switch c.Op {
	case "get":
		return v == value{c.Output, c.Found}, v
	case "set":
		return true, value{c.Input, true}
	case "delete":
		return true, value{}
	}
	appended := value{v.text[max(0, len(v.text)-maxValue):] + "," + c.Input, true}
	return c.OutcomeUnknown || appended.text == c.Output, appended
}

// Describe returns what calls did, in words.
func Describe(calls []Call) string {
	count := map[string]int{}
	for _, c := range calls {
		count[c.Op]++
		if c.Failed {
			count["failed"]++
		}
		if c.OutcomeUnknown {
			count["unknown"]++
		}
	}
	var parts []string
	for k, n := range count {
		parts = append(parts, fmt.Sprintf("%d %s", n, k))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
