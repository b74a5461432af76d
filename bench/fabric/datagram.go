package fabric

import "time"

// Receive has datagrams for a member handed to a function, which must not block and owns the bytes.
func (f *Fabric) Receive(i int, receive func(from int, b []byte)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[i].receive = receive
}

// Send sends a datagram. Like a socket it does not report whether it arrived.
func (f *Fabric) Send(from, to int, b []byte) {
	f.waitThawed(from)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.members[from].state != running {
		return
	}
	c := &f.members[from].counters
	c.Datagrams++
	c.DatagramBytes += uint64(len(b))
	queued, _ := f.useLine(from, to, len(b))
	if !f.isLost() {
		f.travelTime(from, to, append([]byte(nil), b...), queued+f.latency())
	}
}

func (f *Fabric) travelTime(from, to int, b []byte, d time.Duration) {
	time.AfterFunc(d, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch fate, wait := f.fateOf(from, to); {
		case fate == waits:
			f.travelTime(from, to, b, wait)
		case fate == arrives && f.members[to].receive != nil:
			f.members[to].receive(from, b)
		}
	})
}
