package cluster

import (
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

var (
	_ strategy.Sink      = (*sink)(nil)
	_ strategy.Scheduler = (*sink)(nil)
)

// sink takes the reports of one attempt of a runner and posts them to the loop that owns the topology. Those that come after the attempt
// ended, or after another runner took over, are dropped there.
type sink struct {
	run     *runner
	attempt int
	done    <-chan struct{} // of the runner's context
}

// Set reports a complete answer; one with addresses that are not valid counts as incomplete.
func (k *sink) Set(all []peer.Peer) {
	peers, err := canonicalPeers(all)
	if err != nil {
		k.postReport(report{kind: reportAdd, peers: peers, err: err})
		return
	}
	k.postReport(report{kind: reportSet, peers: peers})
}

// Add reports an incomplete answer.
func (k *sink) Add(some []peer.Peer) {
	peers, err := canonicalPeers(some)
	k.postReport(report{kind: reportAdd, peers: peers, err: err})
}

// Fail reports that there was no answer.
func (k *sink) Fail(err error) {
	if err == nil {
		err = errors.New("the strategy reported a failure without an error")
	}
	k.postReport(report{kind: reportFail, err: err})
}

// Next notes when the strategy looks up again.
func (k *sink) Next(lookup time.Time) { k.run.next.Store(lookup.UnixNano()) }

// postReport waits until the loop has taken the report before; see mailbox.
func (k *sink) postReport(r report) {
	r.run, r.attempt, r.lookup = k.run, k.attempt, k.run.takeLookup()
	k.run.mailbox.post(k.done, r)
}

var errTooMany = fmt.Errorf("an answer with more than %d peers is not believed", maxPeers)

// canonicalPeers brings the addresses into canonical form, in a slice of its own if any is not. Peers with an address that is not valid are
// left out and named in the error.
func canonicalPeers(peers []peer.Peer) ([]peer.Peer, error) {
	if len(peers) > maxPeers {
		return nil, errTooMany
	}
	kept := peers[:0:len(peers)] // the slice is the sink's own
	var bad []error
	for _, p := range peers {
		addr, err := peer.Addr(p.Addr)
		if err != nil {
			if len(bad) < 3 {
				bad = append(bad, err)
			}
			continue
		}
		p.Addr = addr
		kept = append(kept, p)
	}
	if left := len(peers) - len(kept); left > 0 {
		return kept, fmt.Errorf("%d of %d peers left out: %w", left, len(peers), errors.Join(bad...))
	}
	return kept, nil
}
