package gossip

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/internal/span"
)

// ErrRemoved means that this node was removed from its cluster and has stopped. Config.Rejoin brings it back.
var ErrRemoved = errors.New("gossip: this node was removed from its cluster")

// ErrUnknownMember means that no member of that name is known.
var ErrUnknownMember = core.ErrUnknownMember

// Remove takes a member out of the cluster, by name, whether it is up or not. The member learns of it at its first contact with any
// other one, and stops; what it wrote to the shared map and was nowhere else by then is lost with it. A removal holds also if the node
// that made it is removed itself: two nodes that remove each other both stop. A node that was removed comes back only on purpose, see
// Config.Rejoin. To take out this node itself, call Leave.
func (n *Node) Remove(ctx context.Context, name string) error {
	ctx, sp := n.tracer.Start(ctx, "convoke.gossip.remove")
	err := n.request(ctx, event{in: core.Remove{ID: name}})
	span.End(sp, err)
	if err != nil {
		return fmt.Errorf("gossip: remove %q: %w", name, err)
	}
	return nil
}

// isRemoved reports whether a name was removed from the cluster.
func (n *Node) isRemoved(name string) bool {
	return n.shared.loadEntry(core.SharedID(core.SpaceMember, name)).Removes(core.MomentAt(n.coreTime()))
}

// Removed returns the names of the members that were removed and have not come back, sorted, for as long as that is remembered
// (Tuning.Horizon). It takes no lock, and costs what there are.
func (n *Node) Removed() []string {
	entries := n.shared.removals.Load()
	if entries == nil {
		return nil
	}
	now := core.MomentAt(n.coreTime())
	var names []string
	for _, e := range *entries {
		if e.Removes(now) {
			names = append(names, e.Key)
		}
	}
	slices.Sort(names)
	return names
}

// noteRemoval takes into the list of removals what has become of a name: e is nil if its entry is gone. Only the loop calls it.
func (s *Shared) noteRemoval(name string, e *core.SharedEntry) {
	var next []*core.SharedEntry
	if before := s.removals.Load(); before != nil {
		for _, old := range *before {
			if old.Key != name {
				next = append(next, old)
			}
		}
	}
	if hasValue(e) {
		next = append(next, e)
	}
	s.removals.Store(&next)
}
