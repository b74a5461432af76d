package fabric

import "time"

// line is the connection of a member to the network, which carries both directions at once.
type line struct {
	sent, received time.Time // when all is through that was sent, or is to be received, so far
}

// SetBandwidth limits what each member can send, and what it can receive, to so many bits a second; 0 ends the limit. Packets
// wait their turn, and none is dropped.
func (f *Fabric) SetBandwidth(bits float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rate = bits / 8
}

// useLine takes n bytes of payload into the lines of both members. It returns how long the bytes take to get through both, without
// the latency, and how long the sender's is busy. mu is held.
func (f *Fabric) useLine(from, to, n int) (through, busy time.Duration) {
	if f.rate == 0 {
		return 0, 0
	}
	now, a, b := time.Now(), &f.members[from].line, &f.members[to].line
	packets := max(1, (n+segmentSize-1)/segmentSize)
	takes := time.Duration(float64(n+packets*segmentHeader) / f.rate * float64(time.Second))
	a.sent = latest(a.sent, now).Add(takes)
	b.received = latest(b.received.Add(takes), a.sent) // it receives while the other sends
	return b.received.Sub(now), a.sent.Sub(now)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
