package scenario

import (
	"fmt"
	"sync"
	"time"
)

const (
	faultWindow = 60 * time.Second
	// aftermath is how long reports count after a fault has ended: a suspicion may be on its way.
	aftermath = 30 * time.Second

	freezeFor = 3 * time.Second
	thawedFor = 2 * time.Second
)

// loseForMinute loses packets of all kinds for a minute.
func loseForMinute(percent int) Scenario {
	return Scenario{
		Name:  fmt.Sprintf("loss-%d", percent),
		Title: fmt.Sprintf("Loss: %d %% of all packets are lost for 60 s; no member dies", percent), formed: true,
		Metrics: []Metric{
			{"false", "false reports of members as gone", Count},
			{"payload", "payload per member", BytesPerSecond},
		},
		play: func(r *run) error {
			before := r.net.Total()
			r.net.SetLoss(float64(percent) / 100)
			time.Sleep(faultWindow)
			r.perMember("payload", uint64(float64(r.net.Total().Sub(before).Payload())/faultWindow.Seconds()))
			r.net.SetLoss(0)
			time.Sleep(aftermath)
			r.add("false", r.view.deathCount(anyMember))
			return nil
		},
	}
}

var stall = Scenario{
	Name: "stall", Title: "Stall: a quarter of the members freeze for 3 s, run for 2 s, and so on for 60 s", formed: true,
	Metrics: []Metric{
		{"healthy", "healthy members reported gone by healthy ones", Count},
		{"byFrozen", "healthy members reported gone by freezing ones", Count},
		{"frozen", "freezing members reported gone", Count},
	},
	play: func(r *run) error {
		sick := make(map[int]bool)
		for len(sick) < max(1, r.Members/4) {
			sick[r.pickMember()] = true
		}
		r.freezeAgainAndAgain(sick)
		time.Sleep(aftermath)
		r.add("healthy", r.view.deathCount(func(o, s int) bool { return !sick[o] && !sick[s] }))
		r.add("byFrozen", r.view.deathCount(func(o, s int) bool { return sick[o] && !sick[s] }))
		r.add("frozen", r.view.deathCount(func(_, s int) bool { return sick[s] }))
		return nil
	},
}

// freezeAgainAndAgain freezes members for the length of the fault, each in its own rhythm.
func (r *run) freezeAgainAndAgain(sick map[int]bool) {
	end := time.Now().Add(faultWindow)
	var freezers sync.WaitGroup
	for i := range sick {
		first := time.Duration(r.rng.Int64N(int64(thawedFor)))
		freezers.Go(func() {
			for time.Sleep(first); time.Now().Before(end); time.Sleep(freezeFor + thawedFor) {
				r.net.Freeze(i, freezeFor)
			}
		})
	}
	freezers.Wait()
}

var partition = Scenario{
	Name: "partition", Title: "Partition: two halves do not reach each other for 60 s", formed: true,
	Metrics: []Metric{
		{"split", "until no member lists one of the other half (within the 60 s)", Seconds},
		{"heal", "after the end, until every member lists all", Seconds},
		{"false", "members reported gone within their own half", Count},
	},
	play: func(r *run) error {
		half := r.Members / 2
		start := time.Now()
		r.cutFirst(half)
		ours, theirs := half, r.Members-half
		r.waitMetric("split", start, faultWindow, func() bool {
			return r.view.pairs <= ours*(ours-1)+theirs*(theirs-1)
		})
		time.Sleep(time.Until(start.Add(faultWindow)))
		start = time.Now()
		r.cutFirst(0)
		r.waitMetric("heal", start, r.Limit, r.view.isWhole)
		r.add("false", r.view.deathCount(func(o, s int) bool { return (o < half) == (s < half) }))
		return nil
	},
}

// cutFirst cuts the first members from the others; 0 heals.
func (r *run) cutFirst(first int) {
	r.traceMark("the first %d are cut off", first)
	for i := range r.Members {
		group := 0
		if i < first {
			group = 1
		}
		r.net.SetGroup(i, group)
	}
}

var isolated = Scenario{
	Name: "isolated", Title: "Isolated: one member reaches no other, and no other reaches it", formed: true,
	Metrics: []Metric{
		{"knows", "until it lists no other", Seconds},
		{"listed", "others that it lists when that, or the limit, is reached", Count},
	},
	play: func(r *run) error {
		x := r.pickMember()
		start := time.Now()
		r.net.SetGroup(x, 1)
		alone := func() bool { return r.view.row[x] == 0 }
		r.waitMetric("knows", start, r.Limit, alone)
		r.add("listed", float64(r.view.listedCount(x)))
		return nil
	},
}
