package core

import (
	"fmt"
	"slices"
)

// CheckView returns how what is kept up to date for [Core.View] differs from what the records say, nil if it does not. It looks at
// all members: simulations call it, nodes do not.
func (c *Core) CheckView() error {
	v := c.View()
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
		if peers := c.peersOf(t); !slices.Equal(peers, t.peers) {
			return fmt.Errorf("%s has %d peers, its links make %d", want.ID, len(t.peers), len(peers))
		}
		m, ok := v.Member(want.ID)
		if !ok || *m != want {
			return fmt.Errorf("the view has %+v, the record makes %+v", m, want)
		}
		live := 0
		for range m.Keys() {
			live++
		}
		if live != m.NumKeys() {
			return fmt.Errorf("%s has %d keys, counted are %d", m.ID, live, m.NumKeys())
		}
	}
	if known != v.Len() || known != c.store.known || departed != c.store.departed {
		return fmt.Errorf("the view has %d members and the records make %d; counted are %d, %d that left and not %d",
			v.Len(), known, c.store.known, c.store.departed, departed)
	}
	return nil
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
