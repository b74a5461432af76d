package scenario

import "time"

const (
	// lateUpdate is when an update counts as late.
	lateUpdate = 3 * time.Second
	// updateGap is the longest pause between two updates.
	updateGap = time.Second
	// idleWindow is long enough for two full exchanges of memberlist at 256 members, which come every two minutes.
	idleWindow = 240 * time.Second
)

var update = Scenario{
	Name: "update", Title: "Update: one member changes one key, its meta data or a tag; a series of such", formed: true,
	Metrics: []Metric{
		{"last", "until the last member has it", Seconds},
		{"half", "until half of the members have it", Seconds},
		{"late", "updates later than 3 s at the last member, per run", Count},
		{"series", "updates per run", Count},
	},
	play: (*run).updates,
}

func (r *run) updates() error {
	late := 0
	for value := range r.Updates {
		r.pauseRandom(updateGap)
		r.view.followMember(r.pickMember(), uint64(value+1))
		start := time.Now()
		if err := r.cluster.Update(r.view.subject, r.view.value); err != nil {
			return err
		}
		r.waitMetric("half", start, r.Limit, func() bool { return 2*r.view.having >= r.Members-1 })
		r.waitMetric("last", start, r.Limit, func() bool { return r.view.having == r.Members-1 })
		if last := r.samples["last"]; last[len(last)-1] > lateUpdate.Seconds() {
			late++
		}
	}
	r.add("late", float64(late))
	r.add("series", float64(r.Updates))
	return nil
}

var idle = Scenario{
	Name: "idle", Title: "Idle: nothing happens for four minutes; cost of one member", formed: true,
	Metrics: []Metric{
		{"payload", "payload", BytesPerSecond},
		{"messages", "datagrams and stream segments with payload", PerSecond},
		{"wire", "on the wire", BytesPerSecond},
		{"streams", "streams opened", PerSecond},
	},
	play: func(r *run) error {
		before := r.net.Total()
		time.Sleep(idleWindow)
		d := r.net.Total().Sub(before)
		per := float64(r.Members) * idleWindow.Seconds()
		r.add("payload", float64(d.Payload())/per)
		r.add("messages", float64(d.Messages())/per)
		r.add("wire", float64(d.Wire())/per)
		r.add("streams", float64(d.Streams)/per)
		return nil
	},
}
