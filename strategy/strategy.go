// Package strategy holds the contracts of everything that finds peers: [Strategy] and [Sink]; the loops that most
// strategies need, [Poll] for sources that are asked and [Watch] for sources that report changes by themselves; typed, explicit
// registration ([Kind], [Registry]); and [Find], which runs a strategy once without a supervisor. The suite in strategytest
// checks an implementation.
package strategy

import (
	"context"
	"errors"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// Sink takes what a strategy learns. Its three methods keep apart what must not be mixed:
// a complete answer, an incomplete one, and none. They may be called from any goroutine while
// Run has not returned; calls never block, and slices belong to the sink afterwards.
type Sink interface {
	// Set gives a complete answer: a peer that is not in it is gone. While an answer holds, it is repeated
	// at least once a minute, because its age counts from the last call.
	Set(all []peer.Peer)
	// Add gives an incomplete answer: these peers exist, the rest is unknown. A peer that no answer
	// has named for 10 minutes, while others were named, and that is not connected is given up.
	Add(some []peer.Peer)
	// Fail reports that there was no answer. The last one stands and ages.
	Fail(err error)
}

// Scheduler is what a [Sink] may be too: [Poll] reports when the next lookup is due, for people to read. It may be called as the methods of
// a Sink may.
type Scheduler interface{ Next(lookup time.Time) }

// Strategy finds the peers of one topology.
//
// Run blocks until ctx is done and returns soon after, with every goroutine it started. An earlier
// return, or a panic, is a crash: it is reported like a Fail and Run is called again
// after a backoff (1 s doubling to 60 s), for ever, unless the error is [Permanent]. Run
// calls the sink at least once within its own deadline for a lookup: also a source that
// cannot be reached gives a sign of life, through Fail.
//
// Two Runs of one configuration may overlap for a moment, when a reload hands over.
type Strategy interface {
	Run(ctx context.Context, out Sink) error
}

// Func makes a strategy of a function.
type Func func(ctx context.Context, out Sink) error

// Run calls f.
func (f Func) Run(ctx context.Context, out Sink) error { return f(ctx, out) }

// Permanent marks an error of Run that no restart can repair (the platform lacks multicast):
// the topology is shown as failed and not restarted until its configuration changes.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

// IsPermanent reports whether err, or an error that it wraps, was marked by [Permanent].
func IsPermanent(err error) bool {
	var p *permanent
	return errors.As(err, &p)
}

type permanent struct{ err error }

func (p *permanent) Error() string { return p.err.Error() }
func (p *permanent) Unwrap() error { return p.err }
