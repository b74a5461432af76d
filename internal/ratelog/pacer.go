package ratelog

import "time"

const (
	minGap    = 10 * time.Second // between two lines of one kind, doubling
	maxGap    = 10 * time.Minute // up to this, while they keep coming
	gapSteps  = 7                // 10, 20, 40, 80, 160, 320 and 600 s
	calmAfter = time.Hour        // without a line a kind is as if it had never been logged
)

// Pacer spaces the lines of one kind: the first come at once, then ever more rarely while they keep coming, every 10 minutes in the end. Each
// part of an hour without a line takes back a part of that, and a calm hour all of it. So there are at most 16 lines in an hour with Burst 0,
// and 2 * Burst + 16 with another, whatever happens. The zero value has logged nothing.
type Pacer struct {
	Burst int // further lines that come at once, before the gaps begin

	last  time.Time // the last line
	level int       // lines logged and not taken back by calm time, at most Burst + gapSteps
}

// Next returns the time before which no line of this kind may come.
func (p *Pacer) Next() time.Time { return p.last.Add(p.gap()) }

func (p *Pacer) gap() time.Duration {
	if p.level <= p.Burst {
		return 0
	}
	return min(minGap<<(p.level-p.Burst-1), maxGap)
}

// Passed records a line. Only the time beyond the gap counts as calm: a kind that waits for its next line is not.
func (p *Pacer) Passed(now time.Time) {
	most := p.Burst + gapSteps
	takenBack := max(0, now.Sub(p.Next())) / ((calmAfter - maxGap) / time.Duration(most))
	p.level = min(max(0, p.level-int(takenBack))+1, most)
	p.last = now
}

// Calm reports whether there was no line for so long that the pacer can be discarded.
func (p *Pacer) Calm(now time.Time) bool { return now.Sub(p.last) >= calmAfter }
