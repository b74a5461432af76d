package scenario

import "time"

const (
	deathsPerRun = 3
	// deathGap is the time after one death has been noticed, before the next.
	deathGap = 10 * time.Second
)

var deathMetrics = []Metric{
	{"last", "until the last survivor knows", Seconds},
	{"first", "until the first survivor knows", Seconds},
	{"false", "reports of survivors as gone, per run", Count},
}

var crash = Scenario{
	Name: "crash", Title: "Crash: a process dies, its streams are reset and its ports refuse", Metrics: deathMetrics, formed: true,
	play: func(r *run) error { return r.endMembers(r.net.Crash) },
}

var silent = Scenario{
	Name: "silent", Title: "Silent death: a host vanishes, nothing answers any more", Metrics: deathMetrics, formed: true,
	play: func(r *run) error { return r.endMembers(r.net.Vanish) },
}

// endMembers ends members one after the other.
func (r *run) endMembers(end func(int)) error {
	wrong := 0.0
	for range min(deathsPerRun, r.Members-3) {
		r.pauseRandom(time.Second)
		x := r.pickMember()
		start := time.Now()
		end(x)
		r.view.dropObserver(x)
		r.cluster.Stop(x)
		r.waitMetric("first", start, r.Limit, func() bool { return r.view.col[x] < r.view.live })
		r.waitMetric("last", start, r.Limit, func() bool { return r.view.col[x] == 0 })
		time.Sleep(deathGap)
		wrong += r.view.deathCount(func(_, subject int) bool { return subject != x })
		r.view.forgetDeaths()
	}
	r.add("false", wrong)
	return nil
}
