package sim

import "time"

// Clock is the clocks of a host. They have one rate, which may be wrong; the monotonic one stands still in a suspend; the wall
// clock can be stepped.
type Clock struct {
	world    *World
	rate     float64
	base     time.Duration // true time when the rate was set
	read     time.Duration // what the clock showed then
	asleep   time.Duration // time in suspends that have ended, by this clock
	from, to time.Duration // true time of the last suspend
	Step     time.Duration // of the wall clock
	NoBoot   bool          // the system has no clock that goes on in a suspend, but for the wall clock
}

// NewClock returns a clock that is right.
func NewClock(w *World) Clock { return Clock{world: w, rate: 1} }

// SetRate has the clocks run this much faster than time: 1.01 gains one percent.
func (c *Clock) SetRate(rate float64) {
	c.read, c.base = c.monotonicAt(c.world.Now), c.world.Now
	c.rate = rate
}

func (c *Clock) monotonicAt(t time.Duration) time.Duration {
	return c.read + time.Duration(float64(t-c.base)*c.rate)
}

func (c *Clock) suspend(d time.Duration) {
	c.asleep = c.sleptUntil(c.world.Now)
	c.from, c.to = c.world.Now, max(c.to, c.world.Now+d)
}

// wake ends a suspend: the host has started again.
func (c *Clock) wake() {
	c.asleep = c.sleptUntil(c.world.Now)
	c.from, c.to = c.world.Now, c.world.Now
}

// sleptUntil returns how much the monotonic clock has missed at a moment.
func (c *Clock) sleptUntil(t time.Duration) time.Duration {
	if t <= c.from {
		return c.asleep
	}
	return c.asleep + time.Duration(float64(min(t, c.to)-c.from)*c.rate)
}

// Read returns what the clocks show at a moment of true time that is not over yet, or is over without a change of rate.
func (c *Clock) Read(t time.Duration) (mono, boot, wall time.Duration) {
	boot = c.monotonicAt(t)
	mono, wall = boot-c.sleptUntil(t), boot+c.Step
	if c.NoBoot {
		boot = mono
	}
	return mono, boot, wall
}

// Until returns after how much true time the monotonic clock has gone on by d, if nothing changes.
func (c *Clock) Until(d time.Duration) time.Duration {
	return max(0, time.Duration(float64(d)/c.rate)+1)
}
