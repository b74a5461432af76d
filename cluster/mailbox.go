package cluster

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/goconvoke/convoke/peer"
)

// report is what one attempt of a runner reports to the loop that owns its topology.
type report struct {
	run     *runner
	attempt int
	kind    reportKind
	peers   []peer.Peer        // of reportSet and reportAdd, in canonical form
	lookup  *trace.SpanContext // that brought it, nil if none is traced
	err     error              // of reportFail and reportCrash; of reportAdd, why the answer is incomplete, or nil
}

type reportKind int

const (
	reportSet   reportKind = iota // a complete answer
	reportAdd                     // an incomplete answer
	reportFail                    // no answer
	reportCrash                   // the attempt has ended
)

// mailbox holds one report of a topology. A second one waits until the loop has taken the first: reports do not replace each other,
// because each failure and each empty answer counts. The loop runs no code of others, so the wait is short.
type mailbox struct {
	reports chan report                // of one
	reader  atomic.Pointer[reconciler] // that takes them; another one when the topology moves
}

// post puts a report into the mailbox, unless done is closed first.
func (m *mailbox) post(done <-chan struct{}, r report) {
	select {
	case m.reports <- r:
		m.reader.Load().signal()
	case <-done:
	}
}

// signal wakes the loop, because a mailbox holds a report.
func (r *reconciler) signal() {
	select {
	case r.posted <- struct{}{}:
	default:
	}
}

// takeReports takes at most one report of each topology, so that none of them delays the others or the messages of the loop.
func (r *reconciler) takeReports() {
	taken := false
	for _, t := range r.topologies {
		select {
		case one := <-t.mailbox.reports:
			r.takeReport(t, one)
			taken = true
		default:
		}
	}
	if taken { // there may be more
		r.signal()
	}
}
