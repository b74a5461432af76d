package core

import (
	"math"
	"time"
)

// detector watches one link for silence. It smooths the interval between frames and its mean deviation as the retransmission
// timer of TCP does (RFC 6298), which is all that the phi-accrual detector (Hayashibara et al., SRDS 2004) needs as well.
type detector struct {
	heard     time.Duration
	mean, dev time.Duration
}

// newDetector returns the detector of a new link, which expects a frame with each heartbeat.
func newDetector(now, heartbeat time.Duration) detector {
	return detector{heard: now, mean: heartbeat}
}

// hear records a frame. Frames sent close upon each other do not measure the interval between heartbeats.
func (d *detector) hear(now, heartbeat time.Duration) {
	if g := now - d.heard; g > heartbeat*3/10 {
		diff := g - d.mean
		d.mean += diff / 8
		d.dev += (diff.Abs() - d.dev) / 8
	}
	d.heard = now
}

// silence is how long the link may stay silent before it is closed:
//
//	min(max(floor, mean + 6*dev), 3*floor)
//
// It grows with the jitter of the path, so a slow network loses time, not links.
func (d *detector) silence(floor time.Duration) time.Duration {
	return min(max(floor, d.mean+6*d.dev), 3*floor)
}

// MaxPhi bounds phi: the formula exceeds all numbers after a silence of some seconds.
const MaxPhi = 100

// phi is the suspicion that the link is dead: -log10 of the chance that a frame is still to come after such a silence, with
// intervals taken as normal (the logistic approximation used by Akka and Cassandra). 1 is one error in ten, 8 in 10^8. It is
// 0 to MaxPhi.
func (d *detector) phi(now time.Duration) float64 {
	sigma := max(d.dev.Seconds()*1.25, 0.1)
	y := (now - d.heard - d.mean).Seconds() / sigma
	e := math.Exp(-y * (1.5976 + 0.070566*y*y))
	p := 1 - 1/(1+e)
	if y > 0 {
		p = e / (1 + e)
	}
	return min(max(0, -math.Log10(p)), MaxPhi)
}

// flaps is the hysteresis for a neighbour whose link keeps breaking: a link that broke twice within a minute is published again
// only after some good heartbeats, and twice as many each further time. Without it a half-broken path makes the whole cluster
// recompute its verdicts at every flap.
type flaps struct {
	last time.Duration
	need int // heartbeats before the next publication
}

const (
	flapWindow = time.Minute // between two breaks that belong together
	flapFirst  = 3           // heartbeats after the second break, doubling with each further one
	flapMost   = 24          // heartbeats at most: a path that was repaired is in use again within half a minute
)

// broke notes that a link had to be unpublished.
func (f *flaps) broke(now time.Duration) {
	switch {
	case f.last == 0 || now-f.last > flapWindow:
		f.need = 0
	case f.need == 0:
		f.need = flapFirst
	default:
		f.need = min(2*f.need, flapMost)
	}
	f.last = now
}
