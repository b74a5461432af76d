package multicast

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/internal/backoff"
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
	all      []Interface // as of the last scan
	scanErr  error
	scanAt   time.Time
	standIn  bool                 // loopback stands in for a real interface
	lost     map[string]time.Time // interfaces gone, by which peers were heard: since when
	heardVia map[string]bool
	shaken   bool // a membership by which peers were heard ended, or a socket broke, since this was last cleared

	arrivals   chan arrival // accepted ones, or all if everything is set
	broken     chan socketError
	everything bool
	done       chan struct{} // closed by close: the channels are not read any more
	wg         sync.WaitGroup
}

// arrival is a datagram that was judged.
type arrival struct {
	datagram
	size       int
	packet     packet
	dropReason dropReason
	time       time.Time
}

// socketError is the end of a socket.
type socketError struct {
	socket socket
	err    error
}

// link is the socket of one family with its memberships.
type link struct {
	socket   socket // nil while closed
	since    time.Time
	err      error // why it is closed
	retryAt  time.Time
	failures int // in a row

	chosen  []Interface
	joined  map[string]Interface
	joinErr map[string]error // by interface
	sendErr map[string]error // by interface, of the last round
}

func newSockets(c Config, n network, log hclog.Logger, s *filter) *sockets {
	return &sockets{
		config:   c,
		network:  n,
		log:      log,
		filter:   s,
		lost:     make(map[string]time.Time),
		heardVia: make(map[string]bool),
		arrivals: make(chan arrival, arrivalsAtOnce),
		broken:   make(chan socketError),
		done:     make(chan struct{}),
	}
}

// maintain does what is due: it looks at the interfaces, opens sockets, joins and leaves. It reports
// whether more can be heard than before.
func (s *sockets) maintain(now time.Time) (better bool) {
	if !now.Before(s.scanAt) {
		s.scan(now)
	}
	for f := range family(families) {
		l := &s.links[f]
		if l.socket == nil && s.wants(f) && !now.Before(l.retryAt) {
			s.open(f, now)
		}
		if l.socket != nil && s.join(f) {
			better = true
		}
	}
	return better
}

// next returns when maintain has something to do.
func (s *sockets) next() time.Time {
	at := s.scanAt
	for f := range family(families) {
		if l := &s.links[f]; l.socket == nil && s.wants(f) && l.retryAt.Before(at) {
			at = l.retryAt
		}
	}
	return at
}

// wants reports whether a family needs a socket: for an interface, or for seeds.
func (s *sockets) wants(f family) bool {
	return s.config.uses(f) && (len(s.links[f].chosen) > 0 || len(s.config.Seeds) > 0)
}

// scan looks at the interfaces. A failed look leaves everything as it is.
func (s *sockets) scan(now time.Time) {
	all, err := s.network.Interfaces()
	s.scanErr = err
	if err == nil {
		s.all = all
		var chosen [families][]Interface
		for f := range family(families) {
			chosen[f] = choose(all, s.config, f)
			s.links[f].chosen = chosen[f]
		}
		s.remember(now)
		s.filter.serve(chosen, all)
	}
	wait := s.config.Rescan
	switch {
	case s.loopbackIn(v4) || s.loopbackIn(v6):
		wait = standInRescan
	case len(s.lost) > 0 || len(s.links[v4].chosen)+len(s.links[v6].chosen) == 0:
		wait = min(eagerRescan, wait)
	}
	s.scanAt = now.Add(wait)
	s.noteStandIn()
}

// loopbackIn reports whether loopback is used for a family because no other interface can be, and not because the configuration
// names it.
func (s *sockets) loopbackIn(f family) bool {
	chosen := s.links[f].chosen
	return len(s.config.Interfaces) == 0 && len(chosen) > 0 && chosen[0].loopback()
}

// standsIn reports whether loopback is all there is: nodes of other hosts cannot be heard, so no answer is complete.
func (s *sockets) standsIn() bool {
	for f := range family(families) {
		if len(s.links[f].chosen) > 0 && !s.loopbackIn(f) {
			return false
		}
	}
	return s.loopbackIn(v4) || s.loopbackIn(v6)
}

// noteStandIn takes note of whether loopback stands in, and logs when it begins to.
func (s *sockets) noteStandIn() {
	was := s.standIn
	if s.standIn = s.standsIn(); s.standIn && !was {
		s.log.Info("only loopback is up: nodes of this host alone are found until an interface comes up",
			"hint", "name lo under interfaces if that is meant")
	}
}

// remember keeps track of interfaces that are gone and had carried packets of peers.
func (s *sockets) remember(now time.Time) {
	for name := range s.heardVia {
		_, known := s.lost[name]
		switch present := s.serves(name); {
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

func (s *sockets) serves(name string) bool {
	for f := range s.links {
		if slices.ContainsFunc(s.links[f].chosen, func(i Interface) bool { return i.Name == name }) {
			return true
		}
	}
	return false
}

// open opens the socket of a family and starts its receiver.
func (s *sockets) open(f family, now time.Time) {
	l := &s.links[f]
	sock, err := s.network.Listen(f, s.config)
	if err != nil {
		l.fail(err, now)
		return
	}
	l.socket, l.err, l.since = sock, nil, now
	l.joined, l.joinErr, l.sendErr = map[string]Interface{}, map[string]error{}, map[string]error{}
	s.wg.Go(func() { s.receive(sock) })
}

// fail records that a socket could not be opened or broke.
func (l *link) fail(err error, now time.Time) {
	if l.socket != nil && now.Sub(l.since) >= maxBackoff {
		l.failures = 0 // it had worked
	}
	l.socket, l.err = nil, err
	l.joined = nil
	l.failures++
	l.retryAt = now.Add(backoff.Doubling(minBackoff, maxBackoff, l.failures))
}

// join brings the memberships of a socket in line with the chosen interfaces. A membership does
// not survive a new index or address, and a switch may have forgotten it while the link was down.
func (s *sockets) join(f family) (better bool) {
	l := &s.links[f]
	for name, old := range l.joined {
		if !slices.ContainsFunc(l.chosen, func(i Interface) bool { return i.Name == name && i.same(old) }) {
			s.leave(l, f, old)
		}
	}
	for _, i := range l.chosen {
		if _, ok := l.joined[i.Name]; ok {
			continue
		}
		if s.config.Broadcast && f == v4 {
			l.joined[i.Name] = i // nothing to join
			better = true
			continue
		}
		err := l.socket.Join(i)
		if err != nil {
			_ = l.socket.Leave(i) // already a member, by an index that was used before
			err = l.socket.Join(i)
		}
		if err != nil {
			l.joinErr[i.Name] = fmt.Errorf("join %v on %s: %w", s.config.groups()[f], i.Name, err)
			continue
		}
		delete(l.joinErr, i.Name)
		l.joined[i.Name] = i
		better = true
		s.log.Info("interface joined", "interface", i.Name, "family", f.String())
	}
	for name := range l.joinErr {
		if !slices.ContainsFunc(l.chosen, func(i Interface) bool { return i.Name == name }) {
			delete(l.joinErr, name)
		}
	}
	return better
}

func (s *sockets) leave(l *link, f family, i Interface) {
	if !s.config.Broadcast || f == v6 {
		_ = l.socket.Leave(i) // the interface may be gone, and the membership with it
	}
	s.shaken = s.shaken || s.heardVia[i.Name]
	delete(l.joined, i.Name)
	delete(l.sendErr, i.Name)
	s.log.Info("interface left", "interface", i.Name, "family", f.String())
}

// lose takes note of a socket that broke. It reports false for one that was replaced already.
func (s *sockets) lose(b socketError, now time.Time) bool {
	for f := range s.links {
		if l := &s.links[f]; l.socket == b.socket {
			_ = b.socket.Close()
			s.shaken = true
			l.fail(fmt.Errorf("%v socket: %w", family(f), b.err), now)
			return true
		}
	}
	return false
}

// receive judges what a socket receives until that is closed or breaks.
func (s *sockets) receive(sock socket) {
	err := s.receiveAll(sock)
	select {
	case s.broken <- socketError{sock, err}:
	case <-s.done:
	}
}

func (s *sockets) receiveAll(sock socket) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("receiver panicked: %v\n%s", r, debug.Stack())
		}
	}()
	buf := make([]byte, MaxPacket+1) // one more, to detect what is too long
	var lull lull
	for {
		began := time.Now()
		d, err := sock.Receive(buf)
		if err != nil {
			return err
		}
		now := time.Now()
		if lull.due(began, now) && !s.everything && !s.rest(napping) {
			return nil
		}
		p, v := s.filter.check(d, now)
		if v != accepted && !s.everything {
			continue
		}
		a := arrival{datagram: d, size: len(d.data), packet: p, dropReason: v, time: now}
		a.data = nil
		select {
		case s.arrivals <- a:
		case <-s.done:
			return nil
		}
	}
}

// rest waits. It reports false when the sockets were closed meanwhile.
func (s *sockets) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

// name returns the name of an interface of the last scan, "" if unknown.
func (s *sockets) name(index int) string {
	for _, i := range s.all {
		if i.Index == index && index != 0 {
			return i.Name
		}
	}
	return ""
}

// heard notes that a peer was heard by an interface that is in use; unicasts come in by others too.
func (s *sockets) heard(iface string) {
	if s.serves(iface) {
		s.heardVia[iface] = true
	}
}

// faults returns what keeps an answer from being complete. unable means that nothing can be received at all.
// A family for which the host has no interface is not a fault as long as the other has one.
func (s *sockets) faults() (errs []error, unable bool) {
	unable = true
	for f := range family(families) {
		l := &s.links[f]
		if l.socket != nil && (len(l.joined) > 0 || len(s.config.Seeds) > 0) {
			unable = false
		}
		if l.err != nil && l.socket == nil && len(l.chosen) > 0 {
			errs = append(errs, l.err)
		}
		if l.socket == nil {
			continue
		}
		for _, e := range l.joinErr {
			errs = append(errs, e)
		}
		for _, e := range l.sendErr {
			errs = append(errs, e)
		}
	}
	for name := range s.lost {
		errs = append(errs, fmt.Errorf("interface %s is down; peers were heard by it", name))
	}
	errs = append(errs, missing(s.all, s.config)...)
	if s.scanErr != nil {
		errs = append(errs, s.scanErr)
	}
	if unable && len(errs) == 0 {
		errs = append(errs, s.idleReason())
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs, unable
}

// idleReason returns why nothing can be received though nothing failed.
func (s *sockets) idleReason() error {
	for f := range s.links {
		if err := s.links[f].err; err != nil {
			return err
		}
	}
	return fmt.Errorf("no interface is up that can carry multicasts (%s); connect one or name one under interfaces",
		describe(s.all))
}

// unsupported returns the error of a platform on which no family can ever be opened, else nil.
func (s *sockets) unsupported() error {
	var errs []error
	for f := range family(families) {
		if !s.config.uses(f) {
			continue
		}
		err := s.links[f].err
		if !errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
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
