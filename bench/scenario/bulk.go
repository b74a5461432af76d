package scenario

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/goconvoke/convoke/bench/engine"
)

const (
	// bandwidth is that of each member's line, in bits a second.
	bandwidth = 1e9
	// entrySize is that of a value of the state, in bytes.
	entrySize = 4096
	// bulkLimit is how long the newcomer has at most. Each second costs memberlist much computing.
	bulkLimit = time.Minute
	// bulkRetry is how long the newcomer waits before it tries to join again, for the same reason.
	bulkRetry = 5 * time.Second
	// bulkRest is how long the members are left alone before the newcomer comes.
	bulkRest = 5 * time.Second
	// bulkStep is how often the members are asked what they have.
	bulkStep = 10 * time.Millisecond
)

var bulk = Scenario{
	Name: "bulk", Title: "Bulk: a newcomer joins members that hold a large state, over lines of 1 Gbit/s; limit 1 min",
	Metrics: []Metric{
		{"listed", "until it lists all and all list it", Seconds},
		{"whole", "until it has all of the state as well", Seconds},
		{"lost", "members reported gone until then and 30 s later", Count},
		{"bytes", "payload of all members until it has all", Bytes},
		{"state", "the state", Bytes},
	},
	MaxMembers: 64, formed: true, newcomers: 1, // each member has the whole state in memory
	play: (*run).bulk,
}

func (r *run) bulk() error {
	holder, ok := r.cluster.(engine.StateHolder)
	if !ok {
		return fmt.Errorf("%w: its members hold no state but records of each other and the last small events", ErrNotApplicable)
	}
	size, err := r.fillState(holder)
	if err != nil {
		return err
	}
	r.add("state", float64(size))
	r.net.SetBandwidth(bandwidth)
	time.Sleep(bulkRest)
	r.view.forgetDeaths()
	if err := r.joinNewcomer(holder, r.started, size); err != nil {
		return err
	}
	time.Sleep(aftermath)
	r.add("lost", r.view.deathCount(anyMember))
	return nil
}

// joinNewcomer has a member join, and waits until it has all of a state.
func (r *run) joinNewcomer(holder engine.StateHolder, i, size int) error {
	if err := r.cluster.Start(i); err != nil {
		return err
	}
	r.view.enterMember()
	r.traceMark("member %d joins", i)
	start, before := time.Now(), r.net.Total()
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		for r.cluster.Join(i, 0) != nil && time.Since(start) < min(r.Limit, bulkLimit) {
			time.Sleep(bulkRetry)
		}
	}()
	bytes := math.Inf(1)
	if r.awaitState(holder, i, size, start) {
		bytes = float64(r.net.Total().Sub(before).Payload())
	}
	r.add("bytes", bytes)
	<-joined
	return nil
}

// fillState gives the members a state and waits until all have it.
func (r *run) fillState(holder engine.StateHolder) (size int, err error) {
	state := r.makeState()
	for _, e := range state {
		size += len(e.Value)
	}
	if err := holder.Fill(state); err != nil {
		return 0, fmt.Errorf("fill: %w", err)
	}
	start := time.Now()
	for i := range r.started {
		for holder.Held(i) < size {
			if time.Since(start) > r.Limit {
				return 0, fmt.Errorf("member %d has %d of %d bytes %v after they were written", i, holder.Held(i), size, r.Limit)
			}
			time.Sleep(10 * bulkStep)
		}
	}
	return size, nil
}

// makeState makes the entries of the state, a quarter of them keys of their writers.
func (r *run) makeState() []engine.Entry {
	var state []engine.Entry
	for i := range max(1, r.State/entrySize) {
		state = append(state, engine.Entry{Writer: i % r.started, Key: fmt.Sprint(i), Value: r.makeText(entrySize), Own: i%4 == 3})
	}
	return state
}

// makeText makes a value as programs have them: it can be compressed, to about a half.
func (r *run) makeText(size int) string {
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, `{"id":"%016x","host":"10.%d.%d.%d","port":%d,"weight":%d}`, r.rng.Uint64(),
			r.rng.IntN(256), r.rng.IntN(256), r.rng.IntN(256), 1024+r.rng.IntN(60000), r.rng.IntN(100))
	}
	return b.String()[:size]
}

// awaitState waits until a newcomer is listed and has the state, adds when that was, and reports whether it has it all.
func (r *run) awaitState(holder engine.StateHolder, newcomer, size int, start time.Time) bool {
	listed, whole := math.Inf(1), math.Inf(1)
	for time.Since(start) < min(r.Limit, bulkLimit) {
		time.Sleep(bulkStep)
		if math.IsInf(listed, 1) && r.view.missingCount() == 0 {
			listed = time.Since(start).Seconds()
		}
		if holder.Held(newcomer) >= size && !math.IsInf(listed, 1) {
			whole = time.Since(start).Seconds()
			break
		}
	}
	r.add("listed", listed)
	r.add("whole", whole)
	return !math.IsInf(whole, 1)
}
