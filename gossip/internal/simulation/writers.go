package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Writers write to the nodes of a world all the time: own keys and shared ones, with and without a TTL, and deletes.
type Writers struct {
	// Rate is how many writes all nodes together make in a second.
	Rate float64
	// Size of the values that are written, in bytes, at least.
	Size int
	// TTL is the longest life of a key that has one; 0: none has.
	TTL time.Duration
	// Even writers only set keys of the shared map, one node after the other, at even intervals.
	Even bool
	// Only, if set, selects the nodes that write.
	Only func(n *Node) bool

	// Refused counts the writes that nodes refused.
	Refused int

	w      *World
	ledger *Ledger
	rng    *rand.Rand
	pad    string
	count  int
	paused bool
	run    int // of Start
	denied []denial
}

// denial is since when a node refuses for its clock.
type denial struct {
	since, last time.Duration // of the refusals since its last write; 0: there are none
	near        time.Duration // since when its clock is near those of all others that run; 0: it is not
	life        int
}

// The keys of writers: few, so that nodes write the same.
var (
	ownKeys    = []string{"o0", "o1", "o2", "o3"}
	ownTTLKeys = []string{"p0", "p1"}
	sharedKeys = []string{"s0", "s1", "s2", "s3", "s4", "s5"}
	ttlKeys    = []string{"t0", "t1"}
)

// NewWriters returns writers that note in a ledger what nodes acknowledge. They are paused until Start.
func NewWriters(w *World, l *Ledger, rate float64) *Writers {
	return &Writers{Rate: rate, TTL: 20 * time.Second, w: w, ledger: l, rng: rand.New(rand.NewPCG(w.Seed, 77)), paused: true,
		denied: make([]denial, len(w.Nodes))}
}

// Start has the writers write, at random intervals of half to one and a half of the mean.
func (p *Writers) Start() {
	p.paused = false
	p.run++
	run := p.run
	var next func()
	next = func() {
		if p.paused || run != p.run {
			return
		}
		mean := float64(time.Second) / p.Rate
		if p.Even {
			n := p.w.Nodes[p.count%len(p.w.Nodes)]
			if p.count++; p.canWrite(n) {
				p.noteDenial(n, p.ledger.Share(n, sharedKeys[p.count%len(sharedKeys)], fmt.Sprint(p.count), 0))
			}
			p.w.After(time.Duration(mean), nil, next)
			return
		}
		p.writeOnce()
		p.w.After(time.Duration(mean/2+mean*p.rng.Float64()), nil, next)
	}
	p.w.After(0, nil, next)
}

// Pause has the writers stop until Start.
func (p *Writers) Pause() { p.paused = true }

func (p *Writers) canWrite(n *Node) bool {
	return n.Running() && n.Gone == "" && n.stalled <= p.w.Now && (p.Only == nil || p.Only(n))
}

// writeOnce makes one write at a random node.
func (p *Writers) writeOnce() {
	n := p.w.Nodes[p.rng.IntN(len(p.w.Nodes))]
	for i := 0; i < len(p.w.Nodes) && !p.canWrite(n); i++ {
		n = p.w.Nodes[(n.Index+1)%len(p.w.Nodes)]
	}
	if !p.canWrite(n) {
		return
	}
	p.count++
	if len(p.pad) != p.Size {
		p.pad = fmt.Sprintf("%*s", p.Size, "")
	}
	value := fmt.Sprintf("%s/%d%s", n.ID, p.count, p.pad)
	pick := func(keys []string) string { return keys[p.rng.IntN(len(keys))] }
	switch k := p.rng.IntN(16); {
	case k < 4:
		p.countResult(p.ledger.Set(n, pick(ownKeys), value, 0))
	case k == 4:
		p.ledger.Delete(n, pick(ownKeys))
	case k == 5 && p.TTL > 0:
		p.countResult(p.ledger.Set(n, pick(ownTTLKeys), value, 1+time.Duration(p.rng.Int64N(int64(p.TTL)))))
	case k == 6 && p.TTL > 0:
		p.noteDenial(n, p.ledger.Share(n, pick(ttlKeys), value, 1+time.Duration(p.rng.Int64N(int64(p.TTL)))))
	case k == 7:
		p.ledger.Unshare(n, pick(sharedKeys))
	default:
		p.noteDenial(n, p.ledger.Share(n, pick(sharedKeys), value, 0))
	}
}

func (p *Writers) countResult(err error) {
	if err != nil {
		p.Refused++
	}
}

// noteDenial keeps since when a node refuses to write to the shared map for its clock.
func (p *Writers) noteDenial(n *Node, err error) {
	p.countResult(err)
	d := &p.denied[n.Index]
	switch {
	case !errors.Is(err, core.ErrClockAhead):
		d.since, d.last = 0, 0
	case d.since == 0 || d.life != n.life:
		d.since, d.last, d.life = p.w.Now, p.w.Now, n.life
	default:
		d.last = p.w.Now
	}
}

// Denied returns the first node that has refused to write for longer than bound though its clock was all the time no further than near
// from those of all others that run: a node with a wrong clock may end, and the others are not to know at once. Call it with each check.
func (p *Writers) Denied(bound, near time.Duration) (err error) {
	w := p.w
	for _, n := range w.Nodes {
		d := &p.denied[n.Index]
		apart := w.clocksApart(n)
		switch {
		case apart > near:
			d.near = 0
		case d.near == 0:
			d.near = max(1, w.Now)
		}
		if d.near == 0 || d.since == 0 || !n.Running() || d.life != n.life || d.last-max(d.since, d.near, w.steppedAt()) < bound {
			continue
		}
		if err == nil {
			err = fmt.Errorf("%s has refused to write since %v for its clock, which is at most %v from all others", n.ID, d.since, apart)
		}
	}
	return err
}

// clocksApart is how far the clock of a node is at most from those of others that run.
func (w *World) clocksApart(n *Node) (apart time.Duration) {
	for _, m := range w.Nodes {
		if m.Running() {
			apart = max(apart, (m.clockOffset() - n.clockOffset()).Abs())
		}
	}
	return apart
}

// steppedAt is when the last clock of a running node was stepped.
func (w *World) steppedAt() (at time.Duration) {
	for _, n := range w.Nodes {
		if n.Running() {
			at = max(at, n.clockAt)
		}
	}
	return at
}
