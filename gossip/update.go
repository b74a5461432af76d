package gossip

import (
	"context"
	"errors"
	"fmt"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/internal/span"
)

// ErrContended means that a key changed each time while Update worked on it.
var ErrContended = errors.New("the key changed in between each of 100 times")

var errNoFunction = errors.New("the function is nil")

// maxUpdates bounds how often Update calls its function.
const maxUpdates = 100

// Update replaces the value of a key by what fn makes of it: ok reports whether there was a value, and keep false deletes it. If fn
// changes nothing, nothing is written. Updates of one key at one node run one after the other, so they never lose each other, and fn
// must not update that key itself; of updates at two nodes at the same moment the later one wins whole. When something else changes
// the key while fn runs, a Set or another node, fn is called again, up to 100 times before Update returns [ErrContended]. An error
// of fn is returned, and nothing is written.
func (s *Shared) Update(ctx context.Context, key string, fn func(old string, ok bool) (value string, keep bool, err error)) error {
	ctx, sp := s.node.tracer.Start(ctx, "convoke.gossip.shared.update")
	err := s.update(ctx, key, fn)
	span.End(sp, err)
	return err
}

func (s *Shared) update(ctx context.Context, key string, fn func(old string, ok bool) (value string, keep bool, err error)) error {
	if fn == nil {
		return fmt.Errorf("gossip: update %q: %w", key, errNoFunction)
	}
	if err := s.updating.Lock(ctx, key); err != nil {
		return fmt.Errorf("gossip: update %q: %w", key, err)
	}
	defer s.updating.Unlock(key)
	for range maxUpdates {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("gossip: update %q: %w", key, err)
		}
		in, seen, err := s.applyUpdate(key, fn)
		if in == nil {
			return err
		}
		if err := s.writeKey(ctx, in, &seen); !errors.Is(err, errStale) {
			return err
		}
	}
	return fmt.Errorf("gossip: update %q: %w", key, ErrContended)
}

// applyUpdate calls fn with the value of a key. It returns the write that fn asks for, nil if none, and the stamp of what fn has seen.
func (s *Shared) applyUpdate(key string, fn func(string, bool) (string, bool, error)) (core.Input, core.Stamp, error) {
	var seen core.Stamp
	var old string
	e := s.findEntry(key)
	ok := hasValue(e)
	if e != nil {
		seen, old = e.Stamp, e.Value
	}
	value, keep, err := fn(old, ok)
	switch {
	case err != nil || !keep && !ok || keep && ok && value == old:
		return nil, seen, err
	case !keep:
		return core.SharedDelete{Key: key}, seen, nil
	}
	return core.SharedSet{Key: key, Value: value}, seen, nil
}
