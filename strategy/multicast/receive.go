package multicast

import (
	"fmt"
	"runtime/debug"
	"time"
)

// received is a datagram that was judged.
type received struct {
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

// receiveLoop judges what a socket receives until that is closed or breaks.
func (s *sockets) receiveLoop(sock socket) {
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
	buf := make([]byte, maxPacket+1) // one more, to detect what is too long
	var batcher receiveBatcher
	for {
		began := time.Now()
		d, err := sock.Receive(buf)
		if err != nil {
			return err
		}
		now := time.Now()
		if batcher.shouldCollect(began, now) && !s.everything && !s.sleep(batchWindow) {
			return nil
		}
		p, v := s.filter.checkPacket(d, now)
		if v != accepted && !s.everything {
			continue
		}
		a := received{datagram: d, size: len(d.data), packet: p, dropReason: v, time: now}
		a.data = nil
		select {
		case s.arrivals <- a:
		case <-s.done:
			return nil
		}
	}
}

// sleep waits. It reports false when the sockets were closed meanwhile.
func (s *sockets) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

// interfaceName returns the name of an interface of the last scan, "" if unknown.
func (s *sockets) interfaceName(index int) string {
	for _, i := range s.all {
		if i.Index == index && index != 0 {
			return i.Name
		}
	}
	return ""
}

// recordHeard notes that a peer was heard by an interface that is in use; unicasts come in by others too.
func (s *sockets) recordHeard(iface string) {
	if s.usesInterface(iface) {
		s.heardVia[iface] = true
	}
}
