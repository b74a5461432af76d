package scenario

import (
	"fmt"
	"math"
	"time"
)

// rounds is how often all members write a value at once.
const rounds = 20

var throughputMetrics = []Metric{
	{"rate", "changes that every member has, per second", PerSecond},
	{"bytes", "payload of a member for a change", Bytes},
	{"wire", "on the wire, of a member for a change", Bytes},
	{"most", "until 99 % of the changes of a round have arrived", Seconds},
	{"round", "a round, until every member has every change", Seconds},
	{"slowest", "slowest round", Seconds},
}

var throughput = Scenario{
	Name: "throughput", Title: "Throughput: all members change their value at once, again as soon as every member has every one",
	Metrics: throughputMetrics, formed: true,
	play: func(r *run) error { return r.inRounds(r.cluster.Update) },
}

var shared = Scenario{
	Name: "shared", Title: "Shared data: all members write a value of their own at once, as a key of the shared map, a user broadcast or a " +
		"user event; again as soon as every member has every one",
	Metrics: throughputMetrics, formed: true,
	play: func(r *run) error { return r.inRounds(r.cluster.Share) },
}

// inRounds has all members write at once, again and again. A round that is not over within the limit is the last: the rate counts
// the time that it took, but not its changes.
func (r *run) inRounds(write func(i int, value uint64) error) error {
	begin, before := time.Now(), r.net.Total()
	slowest, complete, pairs := 0.0, 0, r.Members*(r.Members-1)
	var failed error
	for complete < rounds && failed == nil {
		value := 1<<32 + uint64(complete)
		start := time.Now()
		r.view.beginRound(value)
		for i := range r.Members {
			if err := write(i, value); err != nil {
				return fmt.Errorf("round %d, member %d: %w", complete+1, i, err)
			}
		}
		r.waitMetric("most", start, r.Limit, func() bool { return 100*r.view.behind <= pairs })
		if r.waitMetric("round", start, r.Limit-time.Since(start), func() bool { return r.view.behind == 0 }) {
			complete++
			slowest = max(slowest, time.Since(start).Seconds())
			continue
		}
		slowest = math.Inf(1)
		failed = fmt.Errorf("round %d of %d is not over after %v: %d of %d values have not arrived",
			complete+1, rounds, r.Limit, r.view.lacking(), pairs)
	}
	changes, sent := complete*r.Members, r.net.Total().Sub(before)
	r.add("rate", float64(changes)/time.Since(begin).Seconds())
	r.add("bytes", r.each(sent.Payload(), changes))
	r.add("wire", r.each(sent.Wire(), changes))
	r.add("slowest", slowest)
	return failed
}

// each is a member's share of a total for one of the changes, without end if there were none.
func (r *run) each(total uint64, changes int) float64 {
	if changes == 0 {
		return math.Inf(1)
	}
	return float64(total) / float64(r.Members*changes)
}
