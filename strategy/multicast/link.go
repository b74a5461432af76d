package multicast

import (
	"fmt"
	"slices"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
)

// link is the socket of one family with its memberships.
type link struct {
	socket   socket // nil while closed
	since    time.Time
	err      error // why it is closed
	retryAt  time.Time
	failures int // in a row

	chosen  []netInterface
	joined  map[string]netInterface
	joinErr map[string]error // by interface
	sendErr map[string]error // by interface, of the last round
}

// openSocket opens the socket of a family and starts its receiver.
func (s *sockets) openSocket(f family, now time.Time) {
	l := &s.links[f]
	sock, err := s.network.Listen(f, s.config)
	if err != nil {
		l.recordFailure(err, now)
		return
	}
	l.socket, l.err, l.since = sock, nil, now
	l.joined, l.joinErr, l.sendErr = map[string]netInterface{}, map[string]error{}, map[string]error{}
	s.wg.Go(func() { s.receiveLoop(sock) })
}

// recordFailure records that a socket could not be opened or broke.
func (l *link) recordFailure(err error, now time.Time) {
	if l.socket != nil && now.Sub(l.since) >= maxBackoff {
		l.failures = 0 // it had worked
	}
	l.socket, l.err = nil, err
	l.joined = nil
	l.failures++
	l.retryAt = now.Add(backoff.Doubling(minBackoff, maxBackoff, l.failures))
}

// joinGroups brings the memberships of a socket in line with the chosen interfaces. A membership does
// not survive a new index or address, and a switch may have forgotten it while the link was down.
func (s *sockets) joinGroups(f family) (better bool) {
	l := &s.links[f]
	for name, old := range l.joined {
		if !slices.ContainsFunc(l.chosen, func(i netInterface) bool { return i.Name == name && i.sameMembership(old) }) {
			s.leaveGroup(l, f, old)
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
		if !slices.ContainsFunc(l.chosen, func(i netInterface) bool { return i.Name == name }) {
			delete(l.joinErr, name)
		}
	}
	return better
}

func (s *sockets) leaveGroup(l *link, f family, i netInterface) {
	if !s.config.Broadcast || f == v6 {
		_ = l.socket.Leave(i) // the interface may be gone, and the membership with it
	}
	s.shaken = s.shaken || s.heardVia[i.Name]
	delete(l.joined, i.Name)
	delete(l.sendErr, i.Name)
	s.log.Info("interface left", "interface", i.Name, "family", f.String())
}

// loseSocket takes note of a socket that broke. It reports false for one that was replaced already.
func (s *sockets) loseSocket(b socketError, now time.Time) bool {
	for f := range s.links {
		if l := &s.links[f]; l.socket == b.socket {
			_ = b.socket.Close()
			s.shaken = true
			l.recordFailure(fmt.Errorf("%v socket: %w", family(f), b.err), now)
			return true
		}
	}
	return false
}
