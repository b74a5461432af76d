package fabric

import "time"

// SetLoss has this share of all packets lost, 0 to 1. A lost segment of a stream is sent again after 200 ms, then 400 ms
// and so on, and holds up what follows; a lost packet of a handshake after 1 s, then 2 s.
func (f *Fabric) SetLoss(share float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loss = share
}

// SetGroup puts a member into a group; only members of one group reach each other. All start in group 0. What a stream
// carries meanwhile arrives after the heal, when TCP tries again.
func (f *Fabric) SetGroup(i, group int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[i].group = group
}

// Freeze stops all that a member sends and receives for a while; its clock goes on. What is sent to it waits.
func (f *Fabric) Freeze(i int, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[i].thaw = time.Now().Add(d)
}

// waitThawed waits until a member is not frozen.
func (f *Fabric) waitThawed(i int) {
	for {
		f.mu.Lock()
		wait := time.Until(f.members[i].thaw)
		if f.closed {
			wait = 0
		}
		f.mu.Unlock()
		if wait <= 0 {
			return
		}
		time.Sleep(wait)
	}
}

// Crash ends a member's process: its streams are reset, its port refuses, datagrams to it vanish.
func (f *Fabric) Crash(i int) { f.end(i, crashed) }

// Vanish takes a member's host away: nothing answers any more.
func (f *Fabric) Vanish(i int) { f.end(i, vanished) }

func (f *Fabric) end(i int, how state) {
	f.mu.Lock()
	m := &f.members[i]
	m.state, m.receive = how, nil
	conns := m.take(nil)
	f.mu.Unlock()
	for _, c := range conns {
		c.endDead()
	}
}
