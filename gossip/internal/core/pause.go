package core

import "time"

// clock counts the time during which this process was running. Every deadline of the core is set on it, so a pause of our own
// (garbage collection, a throttled container, a laptop lid, a step of the wall clock) moves all deadlines at once and is never
// blamed on others. The idea is Lifeguard's local health (Dadgar et al., 2018) without its score: the lateness of an own tick is
// measured, so it needs no guess.
type clock struct {
	last    time.Time
	at      time.Duration // running time since the start
	promise time.Duration // when the shell was asked to come back at the latest
	grace   time.Duration // lateness that is not yet a pause
}

// advance moves the clock to now. It returns how long this process did not run, 0 if it did, and whether the wall clock was set
// meanwhile.
func (c *clock) advance(now time.Time) (away time.Duration, stepped bool) {
	gone := now.Sub(c.last) // by the monotonic clock, if both times have it
	wall := now.Round(0).Sub(c.last.Round(0))
	stepped = (wall - gone).Abs() > clockStep
	c.last = now
	if gone <= 0 {
		return 0, stepped || gone < -clockStep // a step backwards: time stands still
	}
	if late := c.at + gone - c.promise; late > c.grace {
		c.at += max(0, gone-late)
		return late, stepped
	}
	c.at += gone
	return 0, stepped
}

// clockStep is by how much the wall clock must move against the time that passed to count as set.
const clockStep = time.Second
