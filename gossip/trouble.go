package gossip

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// troubleGap is how long the same trouble with the same host is not logged again.
	troubleGap = 10 * time.Minute
	// maxTroubles bounds the hosts and kinds of trouble that are remembered; beyond, hosts are not told apart.
	maxTroubles = 1024
)

// troubles logs each kind of trouble once per host, and then at most once in troubleGap with the number of times it came
// since: who is talked to by the whole world must not fill a disk.
type troubles struct {
	log hclog.Logger
	now func() time.Time

	mu    sync.Mutex
	seen  map[trouble]*seen
	swept time.Time // when seen was last searched for what may go
}

// trouble is a message of the log, which names its kind, and the host it came from, "" for many or none.
type trouble struct{ what, host string }

// seen is what became of a trouble since a time: when it was logged, or first came.
type seen struct {
	at     time.Time
	times  int // it came since then
	before int // it came earlier and was not logged
	logged bool
}

// warn logs what happened with a host, if it is time. The message must be constant.
func (t *troubles) warn(what, host string, args ...any) { t.warnAfter(1, what, host, args...) }

// warnAfter is warn for what is no trouble before it came so many times within troubleGap.
func (t *troubles) warnAfter(times int, what, host string, args ...any) {
	unlogged, ok := t.due(trouble{what, host}, times)
	if !ok {
		return
	}
	if unlogged > 0 {
		args = append(args, "unlogged", unlogged)
	}
	t.log.Warn(what, args...)
}

// due reports whether a trouble is to be logged, and how often it came without.
func (t *troubles) due(k trouble, after int) (unlogged int, ok bool) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.find(k, now)
	if now.Sub(s.at) >= troubleGap {
		*s = seen{at: now, before: s.before + s.times}
	}
	if s.times++; s.logged || s.times < after {
		return 0, false
	}
	unlogged = s.before + s.times - 1
	*s = seen{at: now, logged: true}
	return unlogged, true
}

// find returns what is known of a trouble. mu is held.
func (t *troubles) find(k trouble, now time.Time) *seen {
	s := t.seen[k]
	if s == nil && len(t.seen) >= maxTroubles {
		if now.Sub(t.swept) > troubleGap/10 {
			t.swept = now
			t.forget(now)
		}
		if len(t.seen) >= maxTroubles {
			k.host = "" // one more per kind at most, since what is said is constant
			s = t.seen[k]
		}
	}
	if s == nil {
		s = &seen{at: now}
		t.seen[k] = s
	}
	return s
}

// forget drops what may be logged again. mu is held.
func (t *troubles) forget(now time.Time) {
	for k, s := range t.seen {
		if now.Sub(s.at) >= troubleGap {
			delete(t.seen, k)
		}
	}
}

// hostOf returns who is behind an address, as far as bounds and the log tell hosts apart: an IPv4 address, the /64 of an
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
