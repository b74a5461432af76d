package gossip

import (
	"context"
	"fmt"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Stats are numbers of a node at one moment, for metrics. [Counters] are those that only grow.
type Stats struct {
	Links       int     // streams to neighbours in use
	LinksWanted int     // members that are up and to which the rings ask for a link
	MaxPhi      float64 // the greatest Phi of the links, 0 without one

	SharedBytes      int // of the values of the shared map with their keys
	SharedLimit      int // Tuning.Limits.Shared, for SharedBytes and TombstoneBytes each; merging may exceed it
	SharedValues     int // keys of the shared map that have a value
	SharedTombstones int // those that were deleted or have ended, and are remembered as such
	TombstoneBytes   int // of those
}

// Stats returns the numbers of this node. The loop is asked for them, as by [Node.Links], and it returns the same errors.
func (n *Node) Stats(ctx context.Context) (Stats, error) {
	var sizes core.Sizes
	var infos []core.LinkInfo
	if err := n.request(ctx, event{query: func() { sizes, infos = n.core.Sizes(), n.core.LinkInfos() }}); err != nil {
		return Stats{}, fmt.Errorf("gossip: stats: %w", err)
	}
	s := Stats{
		Links: sizes.Links, LinksWanted: sizes.LinksWanted, SharedBytes: sizes.SharedBytes, SharedLimit: n.tuning.Limits.Shared,
		SharedValues: sizes.SharedValues, SharedTombstones: sizes.SharedTombstones, TombstoneBytes: sizes.TombstoneBytes,
	}
	for _, l := range infos {
		s.MaxPhi = max(s.MaxPhi, l.Phi)
	}
	return s, nil
}

// DiskFailing reports whether the last attempt to write the state to Config.DataDir failed, so that it would not outlive this process now. It is false
// without a directory.
func (n *Node) DiskFailing() bool { return n.persist.failing.Load() }

// HasDisk reports whether this node keeps its state in a directory.
func (n *Node) HasDisk() bool { return n.persist.dir != "" }
