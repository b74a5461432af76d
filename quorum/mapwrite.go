package quorum

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// write writes or deletes a key. Every write in the log names the index that it replaces; without IfIndex, that index is read first. An attempt under a
// guessed index would leave the outcome unknown whenever the leader is lost: sent again, it is refused as it would have been the first time.
func (m *Map) write(ctx context.Context, in core.Write, opts []WriteOption) (core.Result, error) {
	var o writeOptions
	for _, opt := range opts {
		if opt == nil {
			return core.Result{}, errNilOption
		}
		opt(&o)
	}
	if err := checkWrite(in); err != nil {
		return core.Result{}, err
	}
	in.Session = o.session
	if o.index != nil {
		in.Prev = *o.index
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	if o.index == nil {
		r, err := m.read(ctx, core.Read{Key: in.Key})
		if err != nil {
			return core.Result{}, err
		}
		in.Prev = r.Index
	}
	for failures := 1; ; failures++ {
		r, err := m.writeAt(ctx, in)
		wait := conflictPause(failures)
		switch {
		case errors.Is(err, ErrConflict) && o.index == nil:
			in.Prev = r.Index
		case errors.Is(err, ErrLost):
			wait = backoff.Doubling(leastRetry, mostRetry, failures)
		default:
			return r, err
		}
		if backoff.Sleep(ctx, wait) != nil {
			return r, err
		}
	}
}

// writeAt writes a key under an index. When the outcome is not known, it sends the same write again: an index is never used again, so that only one of
// the two can take effect, and the success of the second one is certain; a conflict leaves open whether the first or another member's write
// came before. A write of a key that is not there is not sent again, since a deletion can come between the two.
func (m *Map) writeAt(ctx context.Context, in core.Write) (core.Result, error) {
	unknown := false
	for failures := 1; ; failures++ {
		r, err := m.ask(ctx, func(timeout time.Duration) core.Request {
			in.Timeout = timeout
			return in
		})
		if err != nil {
			return r, fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		err = resultError(ctx, r.Code)
		if r.Code == core.Full {
			err = fmt.Errorf("%w: a key of %d bytes and a value of %d; the map has %d bytes of %d at most", ErrFull, len(in.Key), len(in.Value), r.Used, core.MaxMap)
		}
		switch {
		case err == nil || !unknown && !errors.Is(err, ErrUnknown):
			return r, err
		case !errors.Is(err, ErrUnknown):
			return r, fmt.Errorf("%w: it was sent again: %v", ErrUnknown, err) // not in the chain: the first may have taken effect
		}
		unknown = true
		if in.Prev == 0 {
			return r, err
		}
		if backoff.Sleep(ctx, backoff.Doubling(leastRetry, mostRetry, failures)) != nil {
			return r, err
		}
	}
}

func checkWrite(in core.Write) error {
	if err := checkKey(in.Key); err != nil {
		return err
	}
	if len(in.Value) > core.MaxValue {
		return fmt.Errorf("%w: a value of %d bytes, want %d at most", ErrFull, len(in.Value), core.MaxValue)
	}
	return nil
}
