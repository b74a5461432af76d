package gossip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/goconvoke/convoke/internal/keylock"
)

// Fold is one value that many members add to at once, without losing what any of them adds: each publishes its own part, under one
// key of its own record, and a reader merges the parts. It is for registrations, counters and sets, where the shared map would
// keep the last write alone. (A state-based CRDT with one register for each member; Shapiro et al. 2011.)
//
// A member changes its own part only, so nothing here can take away what another one has added: its part goes when it withdraws it,
// leaves, or is removed or forgotten. With Config.DataDir the own part outlives the process. The methods are safe for concurrent use.
type Fold[T any] struct {
	node   *Node
	config FoldConfig[T]
	own    keylock.Locks // of its key, held while the own part is changed
}

// FoldConfig describes how the parts of a [Fold] are published and merged. Key and Merge are required.
type FoldConfig[T any] struct {
	// Key is the own key that holds the part of each member; the same at all members.
	Key string
	// Merge returns two values as one. It must not matter in which order parts are merged.
	Merge func(a, b T) T
	// Encode and Decode turn a part into a value of at most 64 KiB and back; nil means JSON. Decode gets what any member published.
	Encode func(T) (string, error)
	Decode func(string) (T, error)
	// Only selects the members whose parts count; nil means all but those that have left, those that are down included.
	Only func(*Member) bool
}

// NewFold returns the fold of a key. It publishes nothing yet.
func NewFold[T any](n *Node, c FoldConfig[T]) (*Fold[T], error) {
	switch {
	case n == nil:
		return nil, errors.New("gossip: fold: no node")
	case c.Key == "" || c.Merge == nil:
		return nil, errors.New("gossip: fold: Key and Merge are required")
	case (c.Encode == nil) != (c.Decode == nil):
		return nil, errors.New("gossip: fold: Encode and Decode belong together")
	}
	if c.Encode == nil {
		c.Encode = func(part T) (string, error) {
			b, err := json.Marshal(part)
			return string(b), err
		}
		c.Decode = func(s string) (part T, err error) {
			err = json.Unmarshal([]byte(s), &part)
			return part, err
		}
	}
	if c.Only == nil {
		c.Only = func(m *Member) bool { return m.Status != Left }
	}
	return &Fold[T]{node: n, config: c}, nil
}

// Set makes a value the part of this node. Errors are those of Encode and of [Node.Set].
func (f *Fold[T]) Set(ctx context.Context, part T) error {
	return f.Update(ctx, func(T) (T, error) { return part, nil })
}

// Update replaces the part of this node by what fn makes of it, which is the zero value if there is none. Updates run one after the
// other; fn must not change the fold itself. An error of fn is returned, and nothing is published.
func (f *Fold[T]) Update(ctx context.Context, fn func(part T) (T, error)) error {
	if fn == nil {
		return fmt.Errorf("gossip: fold %q: %w", f.config.Key, errNoFunction)
	}
	if err := f.own.Lock(ctx, f.config.Key); err != nil {
		return fmt.Errorf("gossip: fold %q: %w", f.config.Key, err)
	}
	defer f.own.Unlock(f.config.Key)
	var part T
	if value, ok := f.node.Get(f.node.Name(), f.config.Key); ok {
		var err error
		if part, err = f.config.Decode(value); err != nil {
			return fmt.Errorf("gossip: fold %q: own part: %w", f.config.Key, err)
		}
	}
	part, err := fn(part)
	if err != nil {
		return err
	}
	value, err := f.config.Encode(part)
	if err != nil {
		return fmt.Errorf("gossip: fold %q: %w", f.config.Key, err)
	}
	return f.node.Set(ctx, f.config.Key, value)
}

// Withdraw takes the part of this node out of the fold.
func (f *Fold[T]) Withdraw(ctx context.Context) error {
	if err := f.own.Lock(ctx, f.config.Key); err != nil {
		return fmt.Errorf("gossip: fold %q: %w", f.config.Key, err)
	}
	defer f.own.Unlock(f.config.Key)
	return f.node.Delete(ctx, f.config.Key)
}

// Get returns the merged parts of all members as this node knows them, the zero value if there are none. An error names the members
// whose parts cannot be decoded; the value then has those of all others.
func (f *Fold[T]) Get() (T, error) { return f.merge(f.node.View()) }

// Watch yields what Get returns, now and whenever a part has changed, until ctx or the node ends. A slow reader misses values in
// between, never the newest. Each costs as much as there are parts.
func (f *Fold[T]) Watch(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *View
		for v := range f.node.eachView(ctx) {
			if last != nil && !f.partChanged(last, v) {
				last = v
				continue
			}
			last = v
			if !yield(f.merge(v)) {
				return
			}
		}
	}
}

// partChanged reports whether a part differs between two views.
func (f *Fold[T]) partChanged(old, now *View) bool {
	for was, is := range now.Since(old) {
		before, had := f.publishedPart(was)
		after, has := f.publishedPart(is)
		if had != has || before != after {
			return true
		}
	}
	return false
}

// publishedPart returns the part of a member as it is published.
func (f *Fold[T]) publishedPart(m *Member) (string, bool) {
	if m == nil || !f.config.Only(m) {
		return "", false
	}
	return m.Get(f.config.Key)
}

// publishedParts yields the parts as they are published.
func (f *Fold[T]) publishedParts(v *View) iter.Seq2[*Member, string] {
	return func(yield func(*Member, string) bool) {
		for m := range v.All() {
			if value, ok := f.publishedPart(m); ok && !yield(m, value) {
				return
			}
		}
	}
}

func (f *Fold[T]) merge(v *View) (all T, err error) {
	var errs []error
	first := true
	for m, value := range f.publishedParts(v) {
		part, err := f.config.Decode(value)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("the part of %q: %w", m.Name, err))
		case first:
			all, first = part, false
		default:
			all = f.config.Merge(all, part)
		}
	}
	if len(errs) > 0 {
		err = fmt.Errorf("gossip: fold %q: %w", f.config.Key, errors.Join(errs...))
	}
	return all, err
}
