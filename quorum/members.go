package quorum

import (
	"context"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// follow hands each view of the node to the loop, the newest if that is behind.
func (l *life) follow(ctx context.Context) {
	for change := range l.q.config.Node.Watch(ctx) {
		select {
		case <-l.views: // the loop has not taken it
		default:
		}
		l.views <- change.View // holds one, and only this goroutine writes
		for _, m := range change.Lost {
			l.q.streams.drop(m.Name)
		}
	}
}

// readView returns the members of a view that take part, as the core takes them.
func (l *life) readView(v *gossip.View) []core.Member {
	all := make([]core.Member, 0, v.Len())
	for m := range v.All() {
		c, takesPart := coreMember(m)
		if !takesPart {
			continue
		}
		if !l.q.config.eligible(m.Name) {
			c.Voter = 0
		}
		all = append(all, c)
	}
	l.q.streams.forget(func(peer string) bool { _, known := v.Member(peer); return !known })
	return all
}
