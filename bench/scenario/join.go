package scenario

import (
	"math"
	"time"
)

// joinWindow is the time in which the bytes of a join storm are counted, whole or not.
const joinWindow = 30 * time.Second

var join = Scenario{
	Name: "join", Title: "Join storm: all members but one join through that one at once",
	Metrics: []Metric{
		{"whole", "until every member lists all", Seconds},
		{"bytes", "payload per member until then", Bytes},
		{"bytes30", "payload per member in the first 30 s", Bytes},
	},
	play: func(r *run) error {
		start, before := time.Now(), r.net.Total()
		wait := r.joinAll()
		defer wait()
		timely := r.waitMetric("whole", start, joinWindow, r.view.isWhole)
		if timely {
			r.perMember("bytes", r.net.Total().Sub(before).Payload())
			time.Sleep(time.Until(start.Add(joinWindow)))
		}
		r.perMember("bytes30", r.net.Total().Sub(before).Payload())
		if timely {
			return nil
		}
		r.samples["whole"] = nil
		if r.waitMetric("whole", start, r.Limit-joinWindow, r.view.isWhole) {
			r.perMember("bytes", r.net.Total().Sub(before).Payload())
		} else {
			r.add("bytes", math.Inf(1))
		}
		return nil
	},
}
