package multicast

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

const (
	leavePackets = 3
	leaveGap     = 20 * time.Millisecond

	repeatAtMost = 30 * time.Second       // an answer that holds is repeated at least this often
	expiryBatch  = 200 * time.Millisecond // peers that fall silent so close together make one answer
)

// runner is one run of a strategy. Its fields belong to the goroutine of run.
type runner struct {
	strategy *discoverer
	config   Config
	log      hclog.Logger
	out      strategy.Sink
	sockets  *sockets
	table    *peerTable
	sender   sender
	seeds    chan seedsAnswer
	peerLog  peerLog        // for what an operator must hear of
	pacer    heartbeatPacer // of heartbeats

	born     time.Time
	sound    time.Time // since when nothing kept a peer from being heard
	reportAt time.Time // next repetition of the answer
	settleAt time.Time // when a peer that is held back is looked at again; zero: none is

	fresh []peer.Peer // heard and not reported yet
	addAt time.Time   // when they are; zero: there are none
}

func newRunner(s *discoverer, instance uint64) *runner {
	filter := newFilter(s.config, s.codec, instance)
	now := time.Now()
	r := &runner{
		strategy: s,
		config:   s.config,
		log:      s.env.Log,
		sockets:  newSockets(s.config, s.network, s.env.Log, filter),
		seeds:    make(chan seedsAnswer),
		born:     now,
		sound:    now,
		reportAt: now,
		pacer:    newHeartbeatPacer(s.config.Interval, s.env.Rand, now),
	}
	r.sender = sender{strategy: s, sockets: r.sockets, instance: instance, generation: now.UnixNano(), interval: s.config.Interval}
	r.table = newTable(s.config, r.sockets.sourceIsLocal)
	r.peerLog = newPeerLog(now)
	return r
}

func (r *runner) run(ctx context.Context, out strategy.Sink) error {
	r.out = out
	var wg sync.WaitGroup
	defer wg.Wait()
	defer r.sockets.close()
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	if len(r.config.Seeds) > 0 {
		wg.Go(func() { resolveSeeds(limited, r.config, r.strategy.env.Resolver, r.seeds) })
	}
	if err := r.doWork(time.Now()); err != nil {
		return err
	}
	due := r.nextWork()
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		fired := false
		select {
		case <-ctx.Done():
			r.announceLeave()
			return ctx.Err()
		case a := <-r.sockets.arrivals:
			r.handlePacket(&a)
		case b := <-r.sockets.broken:
			if r.sockets.loseSocket(b, time.Now()) {
				out.Fail(b.err)
			}
		case a := <-r.seeds:
			r.setSeeds(a)
		case <-r.strategy.env.SelfChanged:
			r.pacer.sendSoon(time.Now())
		case <-timer.C:
			fired = true
			if err := r.doWork(time.Now()); err != nil {
				return err
			}
		}
		if next := r.nextWork(); !next.Equal(due) || fired {
			due = next
			timer.Reset(time.Until(due))
		}
	}
}

// setSeeds takes the addresses of the seeds.
func (r *runner) setSeeds(a seedsAnswer) {
	changed := !slices.Equal(r.sender.seeds, a.addrs)
	r.sender.seeds, r.sender.seedErrs = a.addrs, a.errs
	if changed {
		r.pacer.sendSoon(time.Now())
	}
}

// nextWork returns when work has something to do.
func (r *runner) nextWork() time.Time {
	at := r.sockets.nextMaintenance()
	for _, t := range []time.Time{r.pacer.next, r.reportAt, r.peerLog.nextLook()} {
		if t.Before(at) {
			at = t
		}
	}
	for _, t := range []time.Time{r.settleAt, r.addAt} {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	return at
}

// doWork does everything that is due.
func (r *runner) doWork(now time.Time) error {
	if r.sockets.maintainSockets(now) {
		r.pacer.sendSoon(now)
	}
	if err := r.sockets.unsupportedError(); err != nil {
		return strategy.Permanent(err)
	}
	if !now.Before(r.pacer.next) {
		r.sendHeartbeat(now)
	}
	if !r.settleAt.IsZero() && !now.Before(r.settleAt) {
		r.settleAt = time.Time{}
		if some := r.table.dueChanges(now); len(some) > 0 {
			r.out.Add(some)
		}
	}
	if !r.addAt.IsZero() && !now.Before(r.addAt) {
		r.out.Add(r.takeFresh())
	}
	if !now.Before(r.reportAt) {
		r.reportPeers(now)
	}
	if !now.Before(r.peerLog.next) {
		r.peerLog.warnIfSilent(r.log, r.newDiagnosis(now), now)
	}
	r.peerLog.logSummary(r.log, len(r.table.nodes), now)
	return nil
}

// interval returns the interval of heartbeats that suits the number of nodes heard. It stays the configured one while a
// node of the version before is heard, which would not wait for longer.
func (r *runner) interval() time.Duration {
	if !r.table.carryIntervals() {
		return r.config.Interval
	}
	return r.pacer.steadyInterval(1+len(r.table.nodes), 1+r.table.onHost())
}

// sendHeartbeat sends a heartbeat and plans the next.
func (r *runner) sendHeartbeat(now time.Time) {
	steady := r.interval()
	if !r.sender.sendHeartbeats(now, steady) {
		r.pacer.planRetry(now)
		return
	}
	r.pacer.planAfterSend(now, steady)
}

// handlePacket takes an accepted packet.
func (r *runner) handlePacket(a *received) {
	if r.sender.isSelf(a) {
		r.sockets.filter.recountDropped(own)
		return
	}
	iface := r.sockets.interfaceName(a.iface)
	n := r.table.handlePacket(&a.packet, &a.datagram, iface, a.time)
	if n.dropReason != accepted {
		r.sockets.filter.recountDropped(n.dropReason)
		if n.dropReason == stale {
			r.peerLog.warnDuplicateName(r.log, a)
		}
		return
	}
	r.sockets.recordHeard(iface)
	r.peerLog.recordHeard(r.log, a.time)
	if n.fresh {
		r.log.Debug("peer heard", "peer", a.packet.Node, "addr", a.from.String(), "generation", a.packet.Generation)
		r.peerLog.countChange(&r.peerLog.came, nameOf(a.packet.Node), a.time)
		r.pacer.planGreeting(a.time, 1+len(r.table.nodes))
	}
	if n.gone {
		r.log.Debug("peer left", "peer", a.packet.Node, "addr", a.from.String())
		r.peerLog.countChange(&r.peerLog.left, nameOf(a.packet.Node), a.time)
		r.reportPeers(a.time)
	}
	if len(n.report) > 0 {
		r.reportNew(n.report, a.time)
	} else if n.fresh {
		r.settleAt = a.time.Add(preferredFamilyWait)
	}
	if a.packet.hello() {
		r.sender.answerHello(a.from, a.time)
	}
}

const (
	fewPeers     = 10                    // as long as no more are known, a new one is reported at once
	addPerPeer   = 10 * time.Millisecond // and else within so much for each that is known,
	addAtTheMost = 2 * time.Second       // and this at the most
)

// reportNew reports new peers: at once in a small cluster, within a random time in a large one. All nodes hear a newcomer in the
// same moment. If each dialled it then, it would be busy with handshakes; after a part of a second it is a member of most
// connectors by way of the first contacts, and need not be dialled by the others.
func (r *runner) reportNew(some []peer.Peer, now time.Time) {
	n := len(r.table.nodes)
	if n <= fewPeers {
		r.out.Add(some)
		return
	}
	for _, p := range some { // the newest word on each
		r.fresh = append(slices.DeleteFunc(r.fresh, func(q peer.Peer) bool {
			return q.Addr == p.Addr || q.ID == p.ID && p.ID != ""
		}), p)
	}
	if r.addAt.IsZero() {
		r.addAt = now.Add(r.pacer.upTo(min(time.Duration(n)*addPerPeer, addAtTheMost)))
	}
}

// takeFresh returns the peers that were not reported yet; they count as reported.
func (r *runner) takeFresh() []peer.Peer {
	some := r.fresh
	r.fresh, r.addAt = nil, time.Time{}
	return some
}

// reportPeers gives the answer: a complete one when every peer had the time to be heard since anything
// was broken by which one could have been heard. It plans the next report.
func (r *runner) reportPeers(now time.Time) {
	faults, unable := r.sockets.collectFaults()
	faults = append(faults, r.sender.collectFaults()...)
	live := r.table.liveNodes(now)
	r.takeFresh() // they are among the live ones
	r.noteSilent(now)
	if len(faults) > 0 || r.sockets.shaken || r.sockets.standIn {
		r.sound, r.sockets.shaken = now, false
	}
	interval := r.interval()
	ripe := now.Sub(r.sound) >= interval+r.config.expiryOf(interval)
	switch {
	case ripe:
		r.out.Set(live)
	case len(live) > 0 && !unable, len(faults) == 0:
		r.out.Add(live) // no peer so far: still a sign of life
	}
	if len(faults) > 0 {
		r.out.Fail(errors.Join(faults...))
	}
	d := r.newDiagnosis(now)
	r.peerLog.warnRefusals(r.log, d, now)
	r.publishDiagnosis(d)
	r.planReport(now, len(faults) > 0, interval)
}

// planReport sets the time of the next report: when the first peer will have been silent for too long, and before that
// every interval. While something is broken the configured interval counts.
func (r *runner) planReport(now time.Time, broken bool, interval time.Duration) {
	wait := min(max(r.config.Interval, interval), repeatAtMost)
	if broken {
		wait = r.config.Interval
	}
	r.reportAt = laterOf(r.table.nextExpiry(now.Add(wait)), now.Add(min(expiryBatch, wait)))
}

// noteSilent counts the peers that fell silent.
func (r *runner) noteSilent(now time.Time) {
	for _, name := range r.table.silent {
		r.log.Debug("peer fell silent", "peer", name)
		r.peerLog.countChange(&r.peerLog.lost, name, now)
	}
	r.table.silent = r.table.silent[:0]
}

// announceLeave announces that this node leaves, three times because a packet may be lost.
func (r *runner) announceLeave() {
	if !r.sender.announced {
		return
	}
	for i := range leavePackets {
		if i > 0 {
			time.Sleep(leaveGap)
		}
		r.sender.sendLeave(time.Now())
	}
}

// sourceIsLocal reports whether an address is one of this host.
func (s *sockets) sourceIsLocal(a netip.Addr) bool {
	a = a.WithZone("")
	return slices.ContainsFunc(s.all, func(i netInterface) bool {
		return slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == a })
	})
}
