package multicast

import (
	"net/netip"
	"time"
)

const (
	maxRate    = 64   // packets a second from one address, those of senders that are known not counted
	maxKnown   = 16   // packets a second of one sender that is known and are not counted
	maxSources = 1024 // addresses counted apart within a second; the others share one account of maxSources packets
)

// rateLimiter counts packets by source address in windows of one second, so that a flood from one address costs a comparison for each
// packet and leaves the other addresses their share. Counting comes before decryption, because that is what a flood could make
// expensive. The address of a UDP packet can be forged, so the table is bounded: addresses beyond maxSources share one count.
// Packets of senders that passed the replay check are refunded up to an allowance of their own, because many nodes may
// send from one address.
type rateLimiter struct {
	second time.Time
	count  map[netip.Addr]int
	others int
}

func newRates() *rateLimiter { return &rateLimiter{count: make(map[netip.Addr]int, maxSources)} }

// allow reports whether one more packet from this address may be looked at.
func (r *rateLimiter) allow(from netip.Addr, now time.Time) bool {
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

// refund takes back what allow counted for a packet.
func (r *rateLimiter) refund(from netip.Addr) {
	if n := r.count[from]; n > 0 {
		r.count[from] = n - 1
	}
}

// allowance is what one sender that is known may send without being counted against its address: many nodes
// may share one, as on one host.
type allowance struct {
	second time.Time
	count  int
}

// take reports whether one more packet is within the allowance.
func (a *allowance) take(now time.Time) bool {
	if since := now.Sub(a.second); since >= time.Second || since < 0 {
		a.second, a.count = now, 0
	}
	a.count++
	return a.count <= maxKnown
}
