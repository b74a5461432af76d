package core

import (
	"fmt"
	"slices"
)

// CheckMembers returns how what is derived from the records differs from what the records make, nil if it does not, and how members that
// were kept up to date by TakeChanged differ from what they are. It looks at all members: simulations call it, nodes do not.
func (c *Core) CheckMembers(shown map[string]Member) error {
	known, departed := 0, 0
	for _, t := range c.store.slots {
		if t.rec == nil {
			continue
		}
		known++
		if t.left {
			departed++
		}
		want := c.member(t)
		// slot.peers is kept up to date link by link; here it is worked out again from both records.
		if peers := c.peersOf(t); !slices.Equal(peers, t.peers) {
			return fmt.Errorf("%s has %d peers, its links make %d", want.Name, len(t.peers), len(peers))
		}
		if m := shown[want.Name]; m != want {
			return fmt.Errorf("shown is %+v, the record makes %+v", m, want)
		}
		live := 0
		for range want.Keys.From("") {
			live++
		}
		if live != want.Keys.Len() {
			return fmt.Errorf("%s has %d keys, counted are %d", want.Name, live, want.Keys.Len())
		}
	}
	if known != len(shown) || known != c.store.known || departed != c.store.departed {
		return fmt.Errorf("%d members are shown and the records make %d; counted are %d, %d that left and not %d",
			len(shown), known, c.store.known, c.store.departed, departed)
	}
	return nil
}

// Show brings members up to date by TakeChanged.
func (c *Core) Show(shown map[string]Member) {
	for _, name := range c.TakeChanged() {
		if m, ok := c.Member(name); ok {
			shown[name] = m
		} else {
			delete(shown, name)
		}
	}
}

// peersOf works out slot.peers.
func (c *Core) peersOf(t *slot) []*slot {
	var all []*slot
	for _, l := range t.rec.links {
		if p := c.store.byNode[l.Node]; p != nil && p != t && t.publishes(p) && p.publishes(t) {
			all = append(all, p)
		}
	}
	return all
}
