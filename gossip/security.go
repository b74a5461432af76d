package gossip

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

const (
	// securityEvery is how often the files of certificates are looked at, and the streams that they secure are verified.
	securityEvery = 5 * time.Second
	// expiryShare of the life of a certificate, at most maxExpiryLead, is how long before its end that is reported.
	expiryShare   = 0.2
	maxExpiryLead = 14 * 24 * time.Hour
	// expiryRepeat is how often a certificate that ends is reported again.
	expiryRepeat = 24 * time.Hour
)

// Expiry is whether the certificate of a node ends.
type Expiry string

// The values of an Expiry.
const (
	ExpiryNone Expiry = ""      // there is no certificate, or it is far from its end
	ExpirySoon Expiry = "soon"  // less than a fifth of its life is left, and less than 14 days
	ExpiryOver Expiry = "ended" // no other node accepts it
)

// Security is what secures the streams of a node.
type Security struct {
	transport.SecurityState
	Expiry Expiry
}

// Security returns what secures the streams of this node, and how the last replacement of certificates or keys went. It costs nothing, and
// is at most 5 s old.
func (n *Node) Security() Security { return n.security.read() }

// WatchSecurity yields what Security returns, at once and whenever it has changed, until ctx or the node ends. A slow reader misses states in
// between, never the newest, and delays no other reader.
func (n *Node) WatchSecurity(ctx context.Context) iter.Seq[Security] {
	return func(yield func(Security) bool) {
		for {
			now, replaced := n.security.watch()
			if !yield(now) {
				return
			}
			select {
			case <-replaced:
			case <-n.life.Done():
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// RefreshSecurity looks at once at what is else looked at every 5 s: files of certificates that were replaced, and whether the other side of
// each stream would be accepted still. It does not wait for that.
func (n *Node) RefreshSecurity() {
	select {
	case n.security.wake <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// security is what a node publishes of its certificates and keys, and the streams that they secure.
type security struct {
	wake chan struct{} // of one

	mu       sync.Mutex
	now      Security
	replaced chan struct{} // closed when there is a newer one
	streams  map[*securedStream]struct{}

	// Owned by checkSecurity.
	reported time.Time // when the end of the certificate was last logged
}

// securedStream is a stream that is verified again while it is in use.
type securedStream struct {
	peer  string
	conn  transport.Conn
	close func() // may be called more than once
}

func (s *security) init() {
	s.wake, s.replaced = make(chan struct{}, 1), make(chan struct{})
	s.streams = map[*securedStream]struct{}{}
}

func (s *security) read() Security {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *security) watch() (Security, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.replaced
}

// publish replaces what is read, and returns what was before.
func (s *security) publish(now Security) (before Security) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.now = s.now, now
	if !sameSecurity(before, now) {
		close(s.replaced)
		s.replaced = make(chan struct{})
	}
	return before
}

// sameSecurity reports whether a reader of two states would act alike.
func sameSecurity(a, b Security) bool {
	return a.Kind == b.Kind && a.Expiry == b.Expiry && a.TakenOver.Equal(b.TakenOver) && a.Failed.Equal(b.Failed) && slices.Equal(a.KeyIDs, b.KeyIDs)
}

// add has a stream verified until remove; close is called when it is not to be used any longer.
func (s *security) add(one *securedStream) {
	if _, ok := one.conn.(transport.Verifier); !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[one] = struct{}{}
}

func (s *security) remove(one *securedStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, one)
}

// all returns the streams in use.
func (s *security) all() []*securedStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*securedStream, 0, len(s.streams))
	for one := range s.streams {
		all = append(all, one)
	}
	return all
}
