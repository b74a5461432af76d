package gossip

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

// Stats are numbers of a node at one moment, for metrics. [Counters] are those that only grow.
type Stats struct {
	Links       int     // streams to neighbours in use
	LinksWanted int     // members that are up and to which the rings ask for a link
	MaxPhi      float64 // the greatest Phi of the links, 0 without one
	RTT         RTTs

	SharedBytes      int // of the values of the shared map with their keys
	SharedLimit      int // Tuning.Limits.Shared, for SharedBytes and TombstoneBytes each; merging may exceed it
	SharedValues     int // keys of the shared map that have a value
	SharedTombstones int // those that were deleted or have ended, and are remembered as such
	TombstoneBytes   int // of those
}

// RTTs are of the round-trip times of the links, as in [Link], those of which it is known; all are 0 if there is none.
type RTTs struct{ Min, Median, Max time.Duration } // of an even number the median is the lower one

// Stats returns the numbers of this node. The loop is asked for them, as by [Node.Links], and it returns the same errors.
func (n *Node) Stats(ctx context.Context) (Stats, error) {
	var sizes core.Sizes
	var infos []core.LinkInfo
	var streams []transport.Conn
	query := func() {
		sizes, infos = n.core.Sizes(), n.core.LinkInfos()
		streams = n.streamsOf(infos)
	}
	if err := n.request(ctx, event{query: query}); err != nil {
		return Stats{}, fmt.Errorf("gossip: stats: %w", err)
	}
	s := Stats{
		Links: sizes.Links, LinksWanted: sizes.LinksWanted, SharedBytes: sizes.SharedBytes, SharedLimit: n.tuning.Limits.Shared,
		SharedValues: sizes.SharedValues, SharedTombstones: sizes.SharedTombstones, TombstoneBytes: sizes.TombstoneBytes,
	}
	for _, l := range infos {
		s.MaxPhi = max(s.MaxPhi, l.Phi)
	}
	s.RTT = rttsOf(streams)
	return s, nil
}

// rttsOf asks the kernel for the round-trip time of each stream.
func rttsOf(streams []transport.Conn) RTTs {
	all := make([]time.Duration, 0, len(streams))
	for _, c := range streams {
		if rtt := transport.RTT(c); rtt > 0 {
			all = append(all, rtt)
		}
	}
	if len(all) == 0 {
		return RTTs{}
	}
	slices.Sort(all)
	return RTTs{Min: all[0], Median: all[(len(all)-1)/2], Max: all[len(all)-1]}
}

// DiskFailing reports whether the last attempt to write the state to Config.DataDir failed, so that it would not outlive this process now. It is false
// without a directory.
func (n *Node) DiskFailing() bool { return n.persist.failing.Load() }

// HasDisk reports whether this node keeps its state in a directory.
func (n *Node) HasDisk() bool { return n.persist.dir != "" }
