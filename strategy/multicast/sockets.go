package multicast

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// eagerRescan is how soon the interfaces are looked at again while none can be used, or one is missed.
	eagerRescan = time.Second
	// standInRescan is that while loopback stands in for a real interface: the network may come up after this process,
	// and a node should not wait for it.
	standInRescan = 500 * time.Millisecond
	// lostMemory is how long an interface by which peers were heard, and which is gone, keeps answers
	// incomplete. After that its absence is how this host is now.
	lostMemory = 5 * time.Minute
)

// sockets holds the sockets, one for each family, and keeps them joined to the group on the
// right interfaces. Its methods belong to one goroutine, except receive.
type sockets struct {
	config  Config
	network network
	log     hclog.Logger
	filter  *filter

	links    [families]link
	all      []netInterface // as of the last scan
	scanErr  error
	scanAt   time.Time
	standIn  bool                 // loopback stands in for a real interface
	lost     map[string]time.Time // interfaces gone, by which peers were heard: since when
	heardVia map[string]bool
	shaken   bool // a membership by which peers were heard ended, or a socket broke, since this was last cleared

	arrivals   chan received // accepted ones, or all if everything is set
	broken     chan socketError
	everything bool
	done       chan struct{} // closed by close: the channels are not read any more
	wg         sync.WaitGroup
}

func newSockets(c Config, n network, log hclog.Logger, s *filter) *sockets {
	return &sockets{
		config:   c,
		network:  n,
		log:      log,
		filter:   s,
		lost:     make(map[string]time.Time),
		heardVia: make(map[string]bool),
		arrivals: make(chan received, receivedQueueSize),
		broken:   make(chan socketError),
		done:     make(chan struct{}),
	}
}

// maintainSockets does what is due: it looks at the interfaces, opens sockets, joins and leaves. It reports
// whether more can be heard than before.
func (s *sockets) maintainSockets(now time.Time) (better bool) {
	if !now.Before(s.scanAt) {
		s.scanInterfaces(now)
	}
	for f := range family(families) {
		l := &s.links[f]
		if l.socket == nil && s.needsSocket(f) && !now.Before(l.retryAt) {
			s.openSocket(f, now)
		}
		if l.socket != nil && s.joinGroups(f) {
			better = true
		}
	}
	return better
}

// nextMaintenance returns when maintain has something to do.
func (s *sockets) nextMaintenance() time.Time {
	at := s.scanAt
	for f := range family(families) {
		if l := &s.links[f]; l.socket == nil && s.needsSocket(f) && l.retryAt.Before(at) {
			at = l.retryAt
		}
	}
	return at
}

// needsSocket reports whether a family needs a socket: for an interface, or for seeds.
func (s *sockets) needsSocket(f family) bool {
	return s.config.usesFamily(f) && (len(s.links[f].chosen) > 0 || len(s.config.Seeds) > 0)
}

// scanInterfaces looks at the interfaces. A failed look leaves everything as it is.
func (s *sockets) scanInterfaces(now time.Time) {
	all, err := s.network.Interfaces()
	s.scanErr = err
	if err == nil {
		s.all = all
		var chosen [families][]netInterface
		for f := range family(families) {
			chosen[f] = chooseInterfaces(all, s.config, f)
			s.links[f].chosen = chosen[f]
		}
		s.rememberGone(now)
		s.filter.setInterfaces(chosen, all)
	}
	wait := s.config.Rescan
	switch {
	case s.loopbackIn(v4) || s.loopbackIn(v6):
		wait = standInRescan
	case len(s.lost) > 0 || len(s.links[v4].chosen)+len(s.links[v6].chosen) == 0:
		wait = min(eagerRescan, wait)
	}
	s.scanAt = now.Add(wait)
	s.updateOnlyLoopback()
}

// loopbackIn reports whether loopback is used for a family because no other interface can be, and not because the configuration
// names it.
func (s *sockets) loopbackIn(f family) bool {
	chosen := s.links[f].chosen
	return len(s.config.Interfaces) == 0 && len(chosen) > 0 && chosen[0].loopback()
}

// onlyLoopback reports whether loopback is all there is: nodes of other hosts cannot be heard, so no answer is complete.
func (s *sockets) onlyLoopback() bool {
	for f := range family(families) {
		if len(s.links[f].chosen) > 0 && !s.loopbackIn(f) {
			return false
		}
	}
	return s.loopbackIn(v4) || s.loopbackIn(v6)
}

// updateOnlyLoopback takes note of whether loopback stands in, and logs when it begins to.
func (s *sockets) updateOnlyLoopback() {
	was := s.standIn
	if s.standIn = s.onlyLoopback(); s.standIn && !was {
		s.log.Info("only loopback is up: nodes of this host alone are found until an interface comes up",
			"hint", "name lo under interfaces if that is meant")
	}
}

// rememberGone keeps track of interfaces that are gone and had carried packets of peers.
func (s *sockets) rememberGone(now time.Time) {
	for name := range s.heardVia {
		_, known := s.lost[name]
		switch present := s.usesInterface(name); {
		case present:
			delete(s.lost, name)
		case !known:
			s.lost[name] = now
			s.log.Warn("interface lost", "interface", name)
		case now.Sub(s.lost[name]) >= lostMemory:
			delete(s.lost, name)
			delete(s.heardVia, name)
		}
	}
}

func (s *sockets) usesInterface(name string) bool {
	for f := range s.links {
		if slices.ContainsFunc(s.links[f].chosen, func(i netInterface) bool { return i.Name == name }) {
			return true
		}
	}
	return false
}

// close closes all sockets and waits for the receivers.
func (s *sockets) close() {
	close(s.done)
	for f := range s.links {
		if sock := s.links[f].socket; sock != nil {
			_ = sock.Close()
		}
	}
	s.wg.Wait()
}
