package scenario

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

const (
	// writeGap is the time between two writes, which members make in turns: 20 a second, what memberlist can pass on at any size.
	writeGap = 50 * time.Millisecond
	// cuts is how often the same members are cut off.
	cuts = 2
	// cutFor is how long that lasts, and how long it is until the next time.
	cutFor = 8 * time.Second
)

var busy = Scenario{
	Name: "busy", Title: "Busy: 20 writes a second, as in shared data, while a quarter of the members is cut off from the others " +
		"twice for 8 s; time counts from the heal for what was cut off", formed: true,
	Metrics: []Metric{
		{"heal", "after the second heal, until all list all, and do so for 30 s", Seconds},
		{"false", "members reported gone within their own side", Count},
		{"stale", "members reported gone by those that reach them again", Count},
		{"last", "until the last member has a write", Seconds},
		{"late", "writes later than 3 s at the last member, per run", Count},
		{"lost", "values that a member never gets, per run", Count},
		{"writes", "writes per run", Number},
	},
	play: (*run).busy,
}

func (r *run) busy() error {
	r.view.forgetDeaths()
	stop := r.keepWriting()
	time.Sleep(cutFor)
	inside := r.chooseQuarter()
	within := func(o, s int) bool { return inside[o] == inside[s] }
	wrong, stale := r.view.deathCount(anyMember), 0.0
	for turn := range cuts {
		r.view.forgetDeaths()
		r.cutOff(inside, cutFor)
		wrong += r.view.deathCount(within)
		r.view.forgetDeaths()
		if turn < cuts-1 {
			time.Sleep(cutFor)
		} else {
			r.keepsWhole("heal", time.Now())
		}
		wrong += r.view.deathCount(within)
		stale += r.view.deathCount(anyMember) - r.view.deathCount(within)
	}
	r.add("false", wrong)
	r.add("stale", stale)
	err := stop()
	r.sumUpWrites()
	return err
}

// chooseQuarter chooses the members that are cut off.
func (r *run) chooseQuarter() map[int]bool {
	inside := make(map[int]bool)
	for len(inside) < max(1, r.Members/4) {
		inside[r.pickMember()] = true
	}
	return inside
}

// cutOff cuts members off from the others for a while.
func (r *run) cutOff(inside map[int]bool, d time.Duration) {
	start := time.Now()
	r.traceMark("cut off: %v", slices.Sorted(maps.Keys(inside)))
	for i := range inside {
		r.net.SetGroup(i, 1)
	}
	time.Sleep(d)
	r.traceMark("healed")
	for i := range inside {
		r.net.SetGroup(i, 0)
	}
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	r.view.writes.healed(start)
}

// keepWriting has members write in turns until what it returns is called, which returns the first error.
func (r *run) keepWriting() (stop func() error) {
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ticker := time.NewTicker(writeGap)
		defer ticker.Stop()
		for value := uint64(1); ; value++ {
			writer := int(value) % r.Members
			r.view.mu.Lock()
			r.view.writes.beginWrite(writer, value, r.Members-1)
			r.view.mu.Unlock()
			if err := r.cluster.Share(writer, value); err != nil {
				ended <- fmt.Errorf("write %d, member %d: %w", value, writer, err)
				return
			}
			select {
			case <-ticker.C:
			case <-end:
				ended <- nil
				return
			}
		}
	}()
	return func() error { close(end); return <-ended }
}

// keepsWhole waits until every member lists all and nothing changes that for a while, and adds how long after start that began.
func (r *run) keepsWhole(key string, start time.Time) {
	for end := start.Add(r.Limit); ; {
		if _, ok := r.view.until(time.Until(end), r.view.isWhole); !ok {
			r.add(key, math.Inf(1))
			return
		}
		r.view.mu.Lock()
		since := r.view.since
		r.view.mu.Unlock()
		if since.Before(start) {
			since = start
		}
		broken := func() bool { return !r.view.isWhole() }
		if _, ok := r.view.until(time.Until(since.Add(aftermath)), broken); !ok {
			r.add(key, since.Sub(start).Seconds())
			return
		}
	}
}

// sumUpWrites waits for the writes that are under way, and adds what became of all.
func (r *run) sumUpWrites() {
	ws := &r.view.writes
	r.view.until(r.Limit, func() bool { return len(ws.open) == 0 })
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	unfinished, lacking := ws.unfinished()
	r.samples["last"] = ws.took
	for range unfinished {
		r.add("last", math.Inf(1))
	}
	r.add("late", float64(ws.late+unfinished))
	r.add("lost", float64(lacking))
	r.add("writes", float64(ws.all))
}
