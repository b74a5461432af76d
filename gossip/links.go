package gossip

import (
	"context"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Link is one link of this node, as it was when asked for.
type Link struct {
	Peer    string    // name of the member at the other end
	Phi     float64   // suspicion that the link is dead, 0 to 100: -log10 of the chance that a frame is still to come
	Since   time.Time // when the link came into use
	Dialled bool      // by this node
}

// Links returns the links of this node, in no particular order. They change as time goes by, so the loop is asked for them each time;
// an error is that of ctx, or [ErrStopped] and the like after the end of the node.
func (n *Node) Links(ctx context.Context) ([]Link, error) {
	var infos []core.LinkInfo
	var now time.Time
	query := func() { infos, now = n.core.LinkInfos(), n.coreTime() }
	if err := n.request(ctx, event{query: query}); err != nil {
		return nil, fmt.Errorf("gossip: links: %w", err)
	}
	all := make([]Link, 0, len(infos))
	for _, l := range infos {
		all = append(all, Link{Peer: l.Peer, Phi: l.Phi, Since: now.Add(-l.Age), Dialled: l.Dialled})
	}
	return all, nil
}
