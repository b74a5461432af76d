package core

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// limited is a core with small limits and a link to a peer that sends it what it likes.
func limited(t *testing.T, l Limits) *Core {
	t.Helper()
	cfg := DefaultConfig()
	cfg.ID, cfg.Addr, cfg.Generation, cfg.Limits = "self", "10.0.0.1:1", 1, l
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	c := New(cfg, rand.New(rand.NewPCG(1, 2)), now)
	c.Step(now, LinkUp{Link: 1, ID: "hostile", Generation: 1, Addr: "10.0.0.2:1"})
	return c
}

// whole is a first record with entries of 1 KiB each.
func whole(name string, entries int) RecordDelta {
	d := RecordDelta{Node: HashID(name), ID: name, Generation: 1, To: uint64(entries)}
	for i := range entries {
		d.Entries = append(d.Entries, Entry{Kind: KindUser, Key: fmt.Sprint(i), Value: strings.Repeat("x", 1<<10), Version: uint64(i + 1)})
	}
	return d
}

// rejected hands the core a delta and returns why it turned it down, "" if it did not.
func rejected(c *Core, d ...RecordDelta) string {
	for _, o := range c.Step(c.clock.last, Received{Link: 1, Frame: &Delta{Records: d}}) {
		if r, ok := o.(Rejected); ok {
			return r.Reason
		}
	}
	return ""
}

func TestAPeerCannotMakeStateGrowWithoutBound(t *testing.T) {
	l := Limits{Members: 10, Record: 32 << 10, State: 64 << 10, Shared: 4 << 10, Key: 256, Value: 64 << 10}
	t.Run("members", func(t *testing.T) {
		c := limited(t, l)
		var got string
		for i := range 20 { // each started after the one before
			d := whole(fmt.Sprint("m", i), 1)
			d.Generation = uint64(i + 1)
			got = rejected(c, d)
		}
		if n := c.Known(); got != "too many members" || n != l.Members {
			t.Errorf("%q with %d members, want the limit of %d named", got, n, l.Members)
		}
		out := c.Step(c.clock.last, LinkUp{Link: 2, ID: "late", Generation: 100, Addr: "10.0.0.3:1"})
		if _, ok := out[2].(Close); !ok || c.Links() != 1 {
			t.Errorf("a link to one member too many: %v", out)
		}
	})
	t.Run("record", func(t *testing.T) {
		c := limited(t, l)
		if got := rejected(c, whole("m", 40)); got != "record too large" {
			t.Errorf("a whole record of 40 KiB: %q", got)
		}
		if got := rejected(c, whole("m", 20)); got != "" {
			t.Fatalf("a whole record of 20 KiB: %q", got)
		}
		more := whole("m", 40)
		more.ID, more.From, more.Entries = "", 20, more.Entries[20:]
		if got := rejected(c, more); got != "record too large" {
			t.Errorf("20 KiB more: %q", got)
		}
		for i := range more.Entries { // the same keys again: nothing grows
			more.Entries[i].Key = fmt.Sprint(i)
		}
		if got := rejected(c, more); got != "" {
			t.Errorf("20 KiB in place of as much: %q", got)
		}
	})
	t.Run("state", func(t *testing.T) {
		c := limited(t, l)
		for i := range 3 {
			if got := rejected(c, whole(fmt.Sprint("m", i), 21)); (got == "records too large in all") != (i == 2) {
				t.Errorf("record %d of 21 KiB: %q", i, got)
			}
		}
	})
	t.Run("links to no node", func(t *testing.T) {
		c := limited(t, l)
		d := RecordDelta{Node: HashID("m"), ID: "m", Generation: 1, To: 200}
		for i := range 200 {
			d.Links = append(d.Links, Link(NodeID(i), uint64(i+1), false))
		}
		rejected(c, d)
		if n := len(c.store.slots); n > slotsPerMember*l.Members {
			t.Errorf("%d places, want at most %d", n, slotsPerMember*l.Members)
		}
	})
}

func TestAnOwnKeyBeyondTheLimitIsAnError(t *testing.T) {
	c := limited(t, Limits{Members: 10, Record: 4 << 10, State: 8 << 10, Shared: 4 << 10, Key: 256, Value: 64 << 10})
	for i := range 10 {
		key := fmt.Sprint(i)
		err := c.own.check(key, strings.Repeat("x", 1<<10))
		if tooLarge := i > 2; (err != nil) != tooLarge {
			t.Fatalf("key %d: %v", i, err)
		}
		c.Step(c.clock.last, Set{Key: key, Value: strings.Repeat("x", 1<<10)})
	}
	if err := c.own.check("0", strings.Repeat("y", 1<<10)); err != nil {
		t.Errorf("a new value of the same size: %v", err)
	}
	if m, ok := c.Member("self"); !ok || m.Keys.Len() != 3 {
		t.Errorf("the own member is %+v, want 3 keys", m)
	}
}
