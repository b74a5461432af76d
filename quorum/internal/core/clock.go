package core

import "time"

// Now is one reading of the two clocks of a process, both counted from its start. They are never compared with those of another.
type Now struct {
	// Running never runs ahead of true time by more than its rate error; it may stand still while the host is suspended. What
	// a leader waits for before it ends a session, and every timer, is measured with it: late is safe there.
	Running time.Duration
	// Lease never falls behind true time by more than its rate error; it may jump ahead. The right to act is measured
	// with it: early is safe there.
	Lease time.Duration
}

// wallAhead is how far the wall clock must run ahead of the others before it counts. It is what a suspend can hide from a host whose other
// clocks all stand still in it, so it must be below marginFixed; a second would let two members hold one shard after a nap
// of half a second. A wall clock that is set forward or slewed by NTP shortens a lease, which costs a renewal at most.
const wallAhead = marginFixed / 2

// LeaseClock makes readings out of the clocks of an operating system. The zero value is ready; it is not safe for concurrent use.
//
// What it cannot see is a suspend on a host without CLOCK_BOOTTIME whose wall clock is set back during it, or less than a renewal
// before it: no clock of such a host shows that time has passed.
//
// No single clock will do for a lease. The monotonic clock stands still while a host is suspended (Linux and macOS;
// golang/go#24595), CLOCK_BOOTTIME exists on Linux only, and the wall clock is set by people and by NTP.
type LeaseClock struct {
	started    bool
	mono, boot time.Duration // at the first reading
	last       Now
	jumps      time.Duration // what the wall clock added
	wall, base time.Duration // wall clock and time without it at the last comparison
}

// Read returns the reading for a monotonic clock, a clock that goes on in suspend (or the monotonic one again), and the wall
// clock, each since any fixed moment.
func (c *LeaseClock) Read(mono, boot, wall time.Duration) Now {
	if !c.started {
		*c = LeaseClock{started: true, mono: mono, boot: boot, wall: wall}
	}
	base := max(mono-c.mono, boot-c.boot)
	switch ahead := (wall - c.wall) - (base - c.base); {
	case ahead > wallAhead:
		c.jumps += ahead
		c.wall, c.base = wall, base
	case ahead < 0:
		c.wall, c.base = wall, base
	}
	c.last.Running = max(c.last.Running, mono-c.mono)
	c.last.Lease = max(c.last.Lease, base+c.jumps)
	return c.last
}
