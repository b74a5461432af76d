package gossip

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

// Link is one link of this node, as it was when asked for.
type Link struct {
	Peer    string    // name of the member at the other end
	Phi     float64   // suspicion that the link is dead, 0 to 100: -log10 of the chance that a frame is still to come
	Since   time.Time // when the link came into use
	Dialled bool      // by this node
	// RTT is the smoothed round-trip time that the kernel measures on the stream; 0 if it is not known, as on systems other than Linux.
	RTT time.Duration
}

// Edge is a link that both of its ends publish. From sorts before To.
type Edge struct{ From, To string }

// Links returns the links of this node, in no particular order. They change as time goes by, so the loop is asked for them each time;
// an error is that of ctx, or [ErrStopped] and the like after the end of the node.
func (n *Node) Links(ctx context.Context) ([]Link, error) {
	var infos []core.LinkInfo
	var streams []transport.Conn
	var now time.Time
	query := func() {
		infos, now = n.core.LinkInfos(), n.coreTime()
		streams = n.streamsOf(infos)
	}
	if err := n.request(ctx, event{query: query}); err != nil {
		return nil, fmt.Errorf("gossip: links: %w", err)
	}
	all := make([]Link, 0, len(infos))
	for i, l := range infos {
		all = append(all, Link{Peer: l.Peer, Phi: l.Phi, Since: now.Add(-l.Age), Dialled: l.Dialled, RTT: transport.RTT(streams[i])})
	}
	return all, nil
}

// LinkCounts returns how many links each member has that both of their ends publish, as far as this node knows: at most two for each
// ring (Tuning.Rings). It asks the loop, and costs as much as there are members; errors are those of [Node.Links].
func (n *Node) LinkCounts(ctx context.Context) (map[string]int, error) {
	var counts map[string]int
	if err := n.request(ctx, event{query: func() { counts = n.core.LinkCounts() }}); err != nil {
		return nil, fmt.Errorf("gossip: link counts: %w", err)
	}
	return counts, nil
}

// streamsOf returns the streams of links, in their order. Only the loop calls it.
func (n *Node) streamsOf(infos []core.LinkInfo) []transport.Conn {
	streams := make([]transport.Conn, 0, len(infos))
	for _, l := range infos {
		streams = append(streams, n.streamOf(l.ID))
	}
	return streams
}

// streamOf returns the stream of a link, nil if there is none. Only the loop calls it.
func (n *Node) streamOf(id core.LinkID) transport.Conn {
	l := n.links[id]
	if l == nil {
		return nil
	}
	return l.stream.transportConn()
}

// Overlay returns the links between all members that both of their ends publish, as far as this node knows, in order. It asks the loop,
// and costs as much as there are; errors are those of [Node.Links].
func (n *Node) Overlay(ctx context.Context) ([]Edge, error) {
	var all []Edge
	query := func() {
		for from, to := range n.core.Edges() {
			all = append(all, Edge{from, to})
		}
	}
	if err := n.request(ctx, event{query: query}); err != nil {
		return nil, fmt.Errorf("gossip: overlay: %w", err)
	}
	slices.SortFunc(all, func(a, b Edge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return all, nil
}
