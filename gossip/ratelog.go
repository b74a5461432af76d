package gossip

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// repeatAfter is how long the same warning about the same host is not logged again.
	repeatAfter = 10 * time.Minute
	// maxWarnings bounds the pairs of warning and host that are remembered; beyond, hosts are not distinguished.
	maxWarnings = 1024
)

// rateLimitedLog logs each kind of warning once per host, and then at most once in repeatAfter with the number of times it came
// since: a node that the whole world can reach must not fill a disk.
type rateLimitedLog struct {
	log *asyncLog
	now func() time.Time

	mu    sync.Mutex
	seen  map[warning]*seen
	swept time.Time // when seen was last searched for entries that are too old
}

func newRateLimitedLog(log *asyncLog, now func() time.Time) *rateLimitedLog {
	return &rateLimitedLog{log: log, now: now, seen: make(map[warning]*seen)}
}

// warning is a message of the log, which names its kind, and the host it came from, "" for many or none.
type warning struct{ message, host string }

// seen counts a warning since a time: when it was logged, or first came.
type seen struct {
	at     time.Time
	times  int // it came since then
	before int // it came earlier and was not logged
	logged bool
}

// warn logs what happened with a host, if it is time. The message must be constant.
func (l *rateLimitedLog) warn(message, host string, args ...any) {
	l.warnAfter(1, message, host, args...)
}

// warnAfter is warn for what is normal unless it comes so many times within repeatAfter.
func (l *rateLimitedLog) warnAfter(times int, message, host string, args ...any) {
	unlogged, ok := l.countWarning(warning{message, host}, times)
	if !ok {
		return
	}
	if unlogged > 0 {
		args = append(args, "unlogged", unlogged)
	}
	l.log.Warn(message, args...)
}

// countWarning counts a warning. It reports whether it is to be logged, and how often it came without.
func (l *rateLimitedLog) countWarning(k warning, after int) (unlogged int, ok bool) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.findLocked(k, now)
	if now.Sub(s.at) >= repeatAfter {
		*s = seen{at: now, before: s.before + s.times}
	}
	if s.times++; s.logged || s.times < after {
		return 0, false
	}
	unlogged = s.before + s.times - 1
	*s = seen{at: now, logged: true}
	return unlogged, true
}

// findLocked returns the count of a warning.
func (l *rateLimitedLog) findLocked(k warning, now time.Time) *seen {
	s := l.seen[k]
	if s == nil && len(l.seen) >= maxWarnings {
		if now.Sub(l.swept) > repeatAfter/10 {
			l.swept = now
			l.removeOldLocked(now)
		}
		if len(l.seen) >= maxWarnings {
			k.host = "" // one more per kind at most, since messages are constant
			s = l.seen[k]
		}
	}
	if s == nil {
		s = &seen{at: now}
		l.seen[k] = s
	}
	return s
}

// removeOldLocked removes the warnings that may be logged again.
func (l *rateLimitedLog) removeOldLocked(now time.Time) {
	for k, s := range l.seen {
		if now.Sub(s.at) >= repeatAfter {
			delete(l.seen, k)
		}
	}
}

// hostOf returns the host of an address, as far as limits and the log distinguish hosts: an IPv4 address, the /64 of an
// IPv6 address, since a host has as many of these as it likes, or any other name as it is.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() && !ip.IsLoopback() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
