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

// advance moves the clock to now and returns how long we were away, 0 if we were not.
func (c *clock) advance(now time.Time) time.Duration {
	gone := now.Sub(c.last)
	c.last = now
	if gone <= 0 {
		return 0 // a step backwards: time stands still
	}
	if late := c.at + gone - c.promise; late > c.grace {
		c.at += max(0, gone-late)
		return late
	}
	c.at += gone
	return 0
}
