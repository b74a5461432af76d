package multicast

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/strategy"
)

const (
	quickBeats = 3                      // heartbeats in a burst: at the start, and when somebody new is heard
	quickGap   = 200 * time.Millisecond // between those
	burstGap   = time.Second            // least time between the starts of two bursts
	goodbyes   = 3
	goodbyeGap = 20 * time.Millisecond
)

// runner is one run of a strategy. Its fields belong to the goroutine of run.
type runner struct {
	strategy *Strategy
	config   Config
	log      hclog.Logger
	rand     *rand.Rand
	out      strategy.Sink
	station  *station
	table    *table
	sender   sender
	seeds    chan seedsAnswer
	watch    watch // for what an operator must hear of

	born     time.Time
	sound    time.Time // since when nothing kept a peer from being heard
	beatAt   time.Time // next heartbeat
	reportAt time.Time // next repetition of the answer
	settleAt time.Time // when a peer that is held back is looked at again; zero: none is
	quick    int       // heartbeats left of the burst
	burst    time.Time // start of the last burst
	again    bool      // another burst is due as soon as burstGap allows
}

func newRunner(s *Strategy, instance uint64) *runner {
	screen := newScreen(s.config, s.codec, instance)
	now := time.Now()
	r := &runner{
		strategy: s,
		config:   s.config,
		log:      s.env.Log,
		rand:     s.env.Rand,
		station:  newStation(s.config, s.network, s.env.Log, screen),
		table:    newTable(s.config.expiry()),
		seeds:    make(chan seedsAnswer),
		born:     now,
		sound:    now,
		beatAt:   now,
		reportAt: now,
		burst:    now,
		quick:    quickBeats,
	}
	r.sender = sender{strategy: s, station: r.station, instance: instance, generation: now.UnixNano()}
	r.watch = newWatch(now)
	return r
}

func (r *runner) run(ctx context.Context, out strategy.Sink) error {
	r.out = out
	var wg sync.WaitGroup
	defer wg.Wait()
	defer r.station.close()
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	if len(r.config.Seeds) > 0 {
		wg.Go(func() { resolveSeeds(limited, r.config, r.strategy.env.Resolver, r.seeds) })
	}
	if err := r.work(time.Now()); err != nil {
		return err
	}
	timer := time.NewTimer(time.Until(r.next()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			r.goodbye()
			return ctx.Err()
		case a := <-r.station.arrivals:
			r.hear(&a)
		case b := <-r.station.broken:
			if r.station.lose(b, time.Now()) {
				out.Fail(b.err)
			}
		case a := <-r.seeds:
			r.learn(a)
		case <-timer.C:
			if err := r.work(time.Now()); err != nil {
				return err
			}
		}
		timer.Reset(time.Until(r.next()))
	}
}

// learn takes the addresses of the seeds.
func (r *runner) learn(a seedsAnswer) {
	changed := !slices.Equal(r.sender.seeds, a.addrs)
	r.sender.seeds, r.sender.seedErrs = a.addrs, a.errs
	if changed {
		r.burstNow(time.Now())
	}
}

// next returns when work has something to do.
func (r *runner) next() time.Time {
	at := r.station.next()
	for _, t := range []time.Time{r.beatAt, r.reportAt, r.watch.next} {
		if t.Before(at) {
			at = t
		}
	}
	if !r.settleAt.IsZero() && r.settleAt.Before(at) {
		at = r.settleAt
	}
	return at
}

// work does everything that is due.
func (r *runner) work(now time.Time) error {
	if r.station.maintain(now) {
		r.burstNow(now)
	}
	if err := r.station.unsupported(); err != nil {
		return strategy.Permanent(err)
	}
	if !now.Before(r.beatAt) {
		r.beat(now)
	}
	if !r.settleAt.IsZero() && !now.Before(r.settleAt) {
		r.settleAt = time.Time{}
		if some := r.table.changes(now); len(some) > 0 {
			r.out.Add(some)
		}
	}
	if !now.Before(r.reportAt) {
		r.report(now)
		r.reportAt = now.Add(r.config.Interval)
	}
	if !now.Before(r.watch.next) {
		r.watch.look(r.log, r.diagnosis(now), now)
	}
	return nil
}

// beat sends a heartbeat and plans the next.
func (r *runner) beat(now time.Time) {
	sent := r.sender.beat(now)
	if r.quick > 0 && sent {
		r.quick--
	}
	switch {
	case r.quick > 0 || !sent:
		r.beatAt = now.Add(quickGap)
	case r.again:
		r.again, r.quick = false, quickBeats
		r.burst = r.burst.Add(burstGap)
		if r.burst.Before(now) {
			r.burst = now
		}
		r.beatAt = r.burst
	default:
		r.beatAt = now.Add(time.Duration((0.5 + r.rand.Float64()) * float64(r.config.Interval)))
	}
}

// burstNow sends a few heartbeats quickly, within 0.2 s, so that who has just come hears this node
// soon. The start is random, because everybody hears the newcomer at once.
func (r *runner) burstNow(now time.Time) {
	if r.quick == quickBeats {
		return // one is about to start
	}
	if now.Sub(r.burst) < burstGap {
		r.again = true
		if wake := r.burst.Add(burstGap); r.quick == 0 && wake.Before(r.beatAt) {
			r.again, r.quick, r.burst, r.beatAt = false, quickBeats, wake, wake
		}
		return
	}
	r.burst, r.quick = now, quickBeats
	if at := now.Add(time.Duration(r.rand.Float64() * float64(quickGap))); at.Before(r.beatAt) {
		r.beatAt = at
	}
}

// hear takes an accepted packet.
func (r *runner) hear(a *arrival) {
	if r.sender.isSelf(a) {
		r.station.screen.recount(own)
		return
	}
	iface := r.station.name(a.iface)
	n := r.table.hear(&a.packet, &a.datagram, iface, a.time)
	if n.verdict != accepted {
		r.station.screen.recount(n.verdict)
		if n.verdict == stale {
			r.watch.namesake(r.log, a)
		}
		return
	}
	r.station.heard(iface)
	r.watch.heard(r.log, a.time)
	if n.fresh {
		r.watch.say(r.log, a.time, "peer heard", "peer", a.packet.Node, "addr", a.from.String(), "generation", a.packet.Generation)
		r.burstNow(a.time)
	}
	if n.gone {
		r.watch.say(r.log, a.time, "peer said goodbye", "peer", a.packet.Node, "addr", a.from.String())
		r.report(a.time)
	}
	if len(n.report) > 0 {
		r.out.Add(n.report)
	} else if n.fresh {
		r.settleAt = a.time.Add(holdBack)
	}
	if a.packet.hello() {
		r.sender.answer(a.from, a.time)
	}
}

// report repeats the answer: a complete one when every peer had the time to be heard since anything
// was broken by which one could have been heard.
func (r *runner) report(now time.Time) {
	faults, deaf := r.station.faults()
	faults = append(faults, r.sender.faults()...)
	live := r.table.live(now)
	if len(faults) > 0 || r.station.shaken {
		r.sound, r.station.shaken = now, false
	}
	ripe := now.Sub(r.sound) >= r.config.Interval+r.config.expiry()
	switch {
	case ripe:
		r.out.Set(live)
	case len(live) > 0 && !deaf, len(faults) == 0:
		r.out.Add(live) // nobody so far: still a sign of life
	}
	if len(faults) > 0 {
		r.out.Fail(errors.Join(faults...))
	}
	d := r.diagnosis(now)
	r.watch.refusals(r.log, d, now)
	r.publish(d)
}

// goodbye tells the others that this node leaves, thrice because a packet may be lost.
func (r *runner) goodbye() {
	if !r.sender.announced {
		return
	}
	for i := range goodbyes {
		if i > 0 {
			time.Sleep(goodbyeGap)
		}
		r.sender.goodbye(time.Now())
	}
}

// sourceIsLocal reports whether an address is one of this host.
func (s *station) sourceIsLocal(a netip.Addr) bool {
	a = a.WithZone("")
	return slices.ContainsFunc(s.all, func(i Interface) bool {
		return slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == a })
	})
}
