package core

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// render writes down all that a view has.
func (v *TableView) render() string {
	var b strings.Builder
	fmt.Fprintln(&b, v.index, v.heard)
	for _, g := range v.Groups() {
		fmt.Fprintln(&b, g.Name(), g.Level(), g.Copies(), g.Len(), g.Held(), v.Group(g.Name()) == g)
		for i := range g.Len() {
			owner, token, ok := v.Owner(g.Name(), i)
			fmt.Fprintln(&b, g.Shard(i), owner, token, ok)
		}
	}
	return b.String()
}

// freshView returns the view of a table that shares nothing with another one.
func freshView(t *Table, heard time.Duration) *TableView {
	b := newViewBuilder()
	return b.view(t, heard)
}

// randomOp returns an operation that often has an effect on a table of two groups.
func randomOp(rng *rand.Rand, t *Table) op {
	o := op{kind: opKind(1 + rng.IntN(9)), session: uint64(1 + rng.IntN(int(t.last)+2)), group: uint64(1 + rng.IntN(2)), shard: uint64(rng.IntN(600)), nonce: rng.Uint64(),
		name: fmt.Sprint("g", rng.IntN(2)), weight: 1, shards: 600, copies: 2}
	if o.kind == opOpen {
		o.name = fmt.Sprint("n", rng.IntN(5))
	}
	if _, s := t.shard(o.group, o.shard); s != nil {
		o.token = uint64(s.Token)
	}
	if o.kind == opStandby {
		o.standby = []uint64{o.session}
	}
	return o
}

func TestAViewIsTheTableOfItsMomentAndNeverChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	table, b := newTable(3), newViewBuilder()
	var views []*TableView
	var were []string
	for index := uint64(2); index < 3000; index++ {
		table.apply(index, []op{randomOp(rng, table)})
		for _, k := range table.takeTouched() {
			b.changed(k)
		}
		if rng.IntN(10) > 0 {
			continue
		}
		v := b.view(table, time.Duration(index))
		if got, want := v.render(), freshView(table, time.Duration(index)).render(); got != want {
			t.Fatalf("at index %d the view is\n%s\nwant\n%s", index, got, want)
		}
		views, were = append(views, v), append(were, v.render())
	}
	if last := views[len(views)-1]; len(last.Groups()) != 2 || last.Group("g0").Held() == 0 {
		t.Errorf("the last view has %d groups, want two with holders", len(last.Groups()))
	}
	for i, v := range views {
		if v.render() != were[i] {
			t.Fatalf("the view of index %d has changed since", v.Index())
		}
	}
}

func TestAViewSharesWhatDidNotChange(t *testing.T) {
	table, b := sample(t, Exclusive), newViewBuilder()
	table.apply(4, []op{{kind: opServe, session: 1, name: "large", weight: 1, shards: 3 * pageSize, copies: 1}})
	first := b.view(table, 1)
	if again := b.view(table, 1); again != first {
		t.Error("though nothing changed there is another view")
	}
	table.apply(5, []op{{kind: opGrant, group: 2, shard: pageSize + 1, session: 1}})
	for _, k := range table.takeTouched() {
		b.changed(k)
	}
	second := b.view(table, 1)
	if second.Group("g") != first.Group("g") {
		t.Error("a group that did not change was copied")
	}
	for page, want := range []bool{true, false, true} {
		if shared := &second.groups[1].pages[page][0] == &first.groups[1].pages[page][0]; shared != want {
			t.Errorf("page %d is shared: %v, want %v", page, shared, want)
		}
	}
	if owner, _, ok := second.Owner("large", pageSize+1); owner != "a" || !ok {
		t.Errorf("the owner is %q, %v, want \"a\"", owner, ok)
	}
}

func TestAnOwnerIsReadWithoutAllocation(t *testing.T) {
	v := freshView(sample(t, Exclusive), 0)
	if n := testing.AllocsPerRun(100, func() { v.Owner("g", 3) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
	for _, k := range []struct {
		group string
		shard int
	}{{"g", -1}, {"g", 4}, {"x", 0}} {
		if _, _, ok := v.Owner(k.group, k.shard); ok {
			t.Errorf("there is an owner of %s/%d", k.group, k.shard)
		}
	}
}
