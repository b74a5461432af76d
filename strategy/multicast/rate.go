package multicast

import (
	"net/netip"
	"time"
)

const (
	maxRate    = 64   // packets a second from one address
	maxSources = 1024 // addresses counted apart within a second; the others share one account of maxSources packets
)

// rates counts packets by source address, second by second.
type rates struct {
	second time.Time
	count  map[netip.Addr]int
	others int
}

func newRates() *rates { return &rates{count: make(map[netip.Addr]int, maxSources)} }

// allow reports whether one more packet from this address may be looked at.
func (r *rates) allow(from netip.Addr, now time.Time) bool {
	if since := now.Sub(r.second); since >= time.Second || since < 0 {
		r.second, r.others = now, 0
		clear(r.count)
	}
	n, known := r.count[from]
	if !known && len(r.count) >= maxSources {
		r.others++
		return r.others <= maxSources
	}
	if n >= maxRate {
		return false
	}
	r.count[from] = n + 1
	return true
}
