package cluster

import (
	"context"

	"github.com/goconvoke/convoke/connector"
)

// publishNotices publishes what a connector reports of this node, until ctx is done.
func (s *Supervisor) publishNotices(ctx context.Context, name string, notices <-chan connector.Notice) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-notices:
			s.feed.emit(Event{Kind: EventKind(n.Kind), Connector: name, Peer: n.Peer, Err: n.Err})
		}
	}
}
