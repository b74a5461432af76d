package cluster

import (
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/peer"
)

const (
	startGrace   = 2 * time.Second // in which a connector that starts may be unable to list
	startRetries = time.Minute     // in which a list that a starting connector cannot give is asked for every second
)

var errListing = errors.New("the last call for the list has not returned yet")

// list is the list of connected peers that a connector returned last, and whether it can return one now.
type list struct {
	peers   []peer.Peer // never changed
	err     error       // why there is none now; nil if there is
	done    bool        // there was one once
	overran bool        // a call that did not return by its deadline still runs
	failing time.Time   // since when there is none; zero if there is
	warned  bool        // the log has err

	successes, failures uint64
}

// retryDelay returns when to ask again for a list that the connector could not give.
func (l *list) retryDelay(now time.Time) time.Duration {
	if l.done || now.Sub(l.failing) > startRetries {
		return reconcile.Interval
	}
	return time.Second
}

// noteList records what a round has listed. A connector that has only just started may need a moment until it can.
func (r *reconciler) noteList(got listed, now time.Time) {
	l := &r.list
	l.err, l.overran = got.err, got.overran
	if got.err == nil {
		l.successes++
		l.peers, l.done = got.peers, true
		if l.warned {
			r.reporter.turn("list of "+r.name, hclog.Info, "connector lists its peers again", "connector", r.name)
		}
		l.failing, l.warned = time.Time{}, false
		return
	}
	l.failures++
	if l.failing.IsZero() {
		l.failing = now
	}
	if !l.warned && (l.done || now.Sub(l.failing) >= startGrace) {
		l.warned = true
		args := append([]any{"connector", r.name}, errorArgs(got.err)...)
		r.reporter.turn("list of "+r.name, hclog.Warn, "connector cannot list its peers; nothing is dialled or dropped", args...)
	}
}

// connectorView returns what is known of the list now.
func (r *reconciler) connectorView() *connectorView {
	l, c := &r.list, &r.calls
	return &connectorView{
		status: ConnectorStatus{r.name, l.done, l.err, l.peers},
		stats: ConnectorStats{
			Name: r.name, Listed: l.done, Peers: len(l.peers), Lists: l.successes, ListFailures: l.failures,
			Dials: c.dials, DialTime: c.dialTime.Read(), RoundTime: r.roundTime.Read(),
			Disconnects: c.disconnects, DisconnectFailures: c.disconnectFailures, Overruns: c.overruns,
		},
		round: r.round,
	}
}
