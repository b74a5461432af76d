package cluster

import "time"

const (
	minLogGap = 10 * time.Second // between two lines of one kind, doubling
	maxLogGap = 10 * time.Minute // up to this while they keep coming,
	logQuiet  = 2 * time.Minute  // until there was none for this time, or two gaps
)

// pacer spaces the lines of one kind: they come more and more rarely while they keep coming.
type pacer struct {
	logged time.Time // the last line
	gap    time.Duration
}

// next returns the time before which no line of this kind may come.
func (p *pacer) next() time.Time { return p.logged.Add(p.gap) }

// passed records a line.
func (p *pacer) passed(now time.Time) {
	if !p.logged.IsZero() && now.Sub(p.logged) < max(2*p.gap, logQuiet) {
		p.gap = min(2*p.gap, maxLogGap)
	} else {
		p.gap = minLogGap
	}
	p.logged = now
}
