package dns

import (
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// window is how long a peer that was named is taken to be there, where answers are samples.
const window = time.Minute

// union is a sink for answers that are samples: it passes on, as incomplete, what was named within the window.
// That a name has no records is the one answer that it takes for complete, once nobody is left. It belongs to one Run.
type union struct {
	strategy.Sink
	seen map[string]sighting // by address; as many as maxPeers
}

// sighting is a peer and when it was named.
type sighting struct {
	peer peer.Peer
	at   time.Time
}

// Set takes a sample.
func (u *union) Set(sample []peer.Peer) {
	if all := u.with(sample); len(all) > 0 {
		u.Sink.Add(all)
		return
	}
	u.Sink.Set(nil)
}

// Add takes a part of a sample.
func (u *union) Add(sample []peer.Peer) {
	if all := u.with(sample); len(all) > 0 {
		u.Sink.Add(all)
	}
}

// with returns everybody named within the window, now that these were.
func (u *union) with(sample []peer.Peer) []peer.Peer {
	now := time.Now()
	for addr, s := range u.seen {
		if now.Sub(s.at) >= window {
			delete(u.seen, addr)
		}
	}
	for _, p := range sample {
		if _, known := u.seen[p.Addr]; known || len(u.seen) < maxPeers {
			u.seen[p.Addr] = sighting{p, now}
		}
	}
	all := make([]peer.Peer, 0, len(u.seen))
	for _, s := range u.seen {
		all = append(all, s.peer)
	}
	return unique(all)
}
