package dns

import (
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

const (
	// minNamedWindow is how long a peer that was named is taken to be there, where answers are samples, at least.
	minNamedWindow = time.Minute
	// expectedNamings is how often a peer should have been named, at the rate at which it was, before its absence counts.
	// A random sample leaves a live peer out for that long with a probability of e^-10, 1 in 22,000.
	expectedNamings = 10
)

// sampleUnion is a sink for answers that are samples: a server that returns at most so many records of a name, each time others, as
// service registries and cloud DNS do. No single answer is complete, so a peer is taken to be gone when it was not named for so
// long that chance does not explain it.
//
// It passes on which peers were named recently: within the window, and
// within so many lookups that each live one should have been named [expectedNamings] times. Once that time has passed without
// a failure, what it knows is a complete answer; before, and after each failure, it is an incomplete one. It belongs to one Run.
type sampleUnion struct {
	strategy.Sink
	seen            map[string]*sighting // by address; as many as maxPeers
	lookups         int                  // that were answered, in whole or in part
	size            int                  // peers in the last answer that named any
	soundSince      time.Time            // the first complete sample since the last failure; zero if there was none
	completeSamples int                  // complete samples from then on
}

// sighting is a peer and when it was named.
type sighting struct {
	peer   peer.Peer
	at     time.Time
	lookup int     // its number
	gap    float64 // lookups from one naming to the next, smoothed
}

func newSampleUnion(out strategy.Sink) *sampleUnion {
	return &sampleUnion{Sink: out, seen: make(map[string]*sighting)}
}

// Set takes a sample. That a name has no records is an answer of its own, once no peer is left.
func (u *sampleUnion) Set(sample []peer.Peer) {
	now := time.Now()
	if u.soundSince.IsZero() {
		u.soundSince, u.completeSamples = now, 0
	}
	u.completeSamples++
	switch all := u.addSample(sample, now); {
	case len(all) == 0 || u.isComplete(now):
		u.Sink.Set(all)
	default:
		u.Sink.Add(all)
	}
}

// Add takes a part of a sample.
func (u *sampleUnion) Add(sample []peer.Peer) {
	if all := u.addSample(sample, time.Now()); len(all) > 0 {
		u.Sink.Add(all)
	}
}

// Fail takes a failure: what was not named since may have been in the answer that is missing.
func (u *sampleUnion) Fail(err error) {
	u.soundSince = time.Time{}
	u.Sink.Fail(err)
}

// addSample returns the peers named recently, now that these were.
func (u *sampleUnion) addSample(sample []peer.Peer, now time.Time) []peer.Peer {
	u.lookups++
	if len(sample) > 0 {
		u.size = len(sample)
	}
	for _, p := range sample {
		s := u.seen[p.Addr]
		switch {
		case s != nil:
			s.gap += (float64(u.lookups-s.lookup) - s.gap) / 8
		case len(u.seen) < maxPeers:
			s = &sighting{gap: 1}
			u.seen[p.Addr] = s
		default:
			continue
		}
		s.peer, s.at, s.lookup = p, now, u.lookups
	}
	all := make([]peer.Peer, 0, len(u.seen))
	for addr, s := range u.seen {
		if now.Sub(s.at) >= minNamedWindow && float64(u.lookups-s.lookup) >= u.allowedMisses(s) {
			delete(u.seen, addr)
			continue
		}
		all = append(all, s.peer)
	}
	return uniquePeers(all)
}

// allowedMisses is in how many lookups in a row a peer may be missing: those in which it should have been named expectedNamings times, by
// its own rate or, while that is not known, by that of a sample which takes each peer with equal chance.
func (u *sampleUnion) allowedMisses(s *sighting) float64 {
	return expectedNamings * max(s.gap, float64(len(u.seen))/float64(max(1, u.size)))
}

// isComplete reports whether each live peer had the time to be named since the last failure.
func (u *sampleUnion) isComplete(now time.Time) bool {
	if now.Sub(u.soundSince) < minNamedWindow || len(u.seen) >= maxPeers {
		return false
	}
	for _, s := range u.seen {
		if float64(u.completeSamples) < u.allowedMisses(s) {
			return false
		}
	}
	return true
}
