package simulation

import "time"

// clockTime is what the node's clock shows.
func (n *Node) clockTime() time.Time {
	w := n.world
	return w.base.Add(w.Now + n.skew + n.driftOffset())
}

func (n *Node) driftOffset() time.Duration {
	return time.Duration(n.drift * float64(n.world.Now-n.driftFrom))
}

// clockOffset is how far the node's clock is from the truth.
func (n *Node) clockOffset() time.Duration { return n.skew + n.driftOffset() }

// StepClock moves the node's clock.
func (n *Node) StepClock(d time.Duration) {
	n.world.trace("%s's clock steps by %v", n.ID, d)
	n.skew += d // timers run on: they count durations
	n.clockAt = n.world.Now
}

// SetClock makes the node's clock right, but for a difference.
func (n *Node) SetClock(off time.Duration) { n.StepClock(off - n.clockOffset()) }

// Drift has the node's clock gain a share of the time that passes: 0.001 is 3.6 s an hour.
func (n *Node) Drift(share float64) {
	n.skew = n.clockOffset()
	n.drift, n.driftFrom = share, n.world.Now
	n.world.trace("%s's clock drifts by %.4f", n.ID, share)
}

// StepClocks moves the clocks of all nodes together, as a wrong time server does.
func (w *World) StepClocks(d time.Duration) {
	for _, n := range w.Nodes {
		n.StepClock(d)
	}
}

// Stutter freezes the process many times: each time for d, once every period. It takes the place of an earlier one; 0 times end it.
func (n *Node) Stutter(times int, d, period time.Duration) {
	n.stutters++
	n.stallRepeatedly(times, d, period)
}

func (n *Node) stallRepeatedly(times int, d, period time.Duration) {
	if times == 0 {
		return
	}
	life, turn := n.life, n.stutters
	n.Stall(d)
	n.world.After(period, nil, func() {
		if n.life == life && n.stutters == turn && n.Running() {
			n.stallRepeatedly(times-1, d, period)
		}
	})
}
