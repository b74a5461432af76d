package core

import (
	"fmt"
	"testing"
	"time"
)

func TestPlacesAreGivenBackHoweverManyNamesComeAndGo(t *testing.T) {
	l := DefaultLimits()
	l.Members = 8
	c := limited(t, l)
	now := c.clock.last
	for i := range 10 * slotsPerMember * l.Members {
		d := whole(fmt.Sprint("m", i), 1)
		d.Generation = uint64(i + 1)
		d.Entries = append(d.Entries, Entry{Kind: KindMeta, Key: MetaLeft, Version: 2})
		d.To = 2
		if why := rejected(c, d); why != "" {
			t.Fatalf("name %d: %q", i, why)
		}
		now = now.Add(200 * time.Millisecond)
		c.Step(now, Tick{})
	}
	if n := len(c.store.slots); n > 2*l.Members+maxSpare {
		t.Errorf("%d places after many names, want at most %d", n, 2*l.Members+maxSpare)
	}
	if c.store.known != l.Members {
		t.Errorf("%d records in a full table, want %d", c.store.known, l.Members)
	}
}

func TestAFullTableDropsWhoLeftThenWhoIsGoneLongest(t *testing.T) {
	order := []rank{ // who goes first comes first
		{left: true, seen: 5}, {left: true, seen: 6}, {seen: 1}, {seen: 2, node: 1}, {seen: 2, node: 2},
		{up: true, generation: 9}, {up: true, generation: 3}, {up: true, generation: 3, node: 0},
	}
	for i, a := range order {
		for j, b := range order {
			got := a.compare(b)
			if i < j && got > 0 || i > j && got < 0 {
				t.Errorf("compare(%+v, %+v) = %d", a, b, got)
			}
		}
	}
}
