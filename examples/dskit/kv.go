// Package dskitkv is a store of grafana/dskit on a gossip cluster: what several processes add to a key at once, such as their entries in
// a hash ring, is merged when it is read, and none is lost.
package dskitkv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/grafana/dskit/kv"
	"github.com/grafana/dskit/kv/codec"
	"github.com/grafana/dskit/kv/memberlist"

	"github.com/goconvoke/convoke/gossip"
)

// Client is a kv.Client whose values are memberlist.Mergeable. Each member publishes what it has changed of a value as a part of a
// fold; Get merges the parts of all.
type Client struct {
	node  *gossip.Node
	codec codec.Codec
	empty func() memberlist.Mergeable

	mu    sync.Mutex
	folds map[string]*gossip.Fold[memberlist.Mergeable]
}

var _ kv.Client = (*Client)(nil)

// prefix is that of the own keys that hold the parts.
const prefix = "kv/"

// New returns the store of a node; empty makes a value without content.
func New(node *gossip.Node, c codec.Codec, empty func() memberlist.Mergeable) *Client {
	return &Client{node: node, codec: c, empty: empty, folds: map[string]*gossip.Fold[memberlist.Mergeable]{}}
}

// fold returns that of a key.
func (c *Client) fold(key string) (*gossip.Fold[memberlist.Mergeable], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.folds[key]; f != nil {
		return f, nil
	}
	f, err := gossip.NewFold(c.node, gossip.FoldConfig[memberlist.Mergeable]{
		Key: prefix + key,
		Merge: func(a, b memberlist.Mergeable) memberlist.Mergeable {
			_, _ = a.Merge(b, false) // what cannot be merged is left out
			return a
		},
		Encode: func(m memberlist.Mergeable) (string, error) {
			b, err := c.codec.Encode(m)
			return string(b), err
		},
		Decode: c.decode,
	})
	if err == nil {
		c.folds[key] = f
	}
	return f, err
}

func (c *Client) decode(s string) (memberlist.Mergeable, error) {
	v, err := c.codec.Decode([]byte(s))
	if err != nil {
		return nil, err
	}
	m, ok := v.(memberlist.Mergeable)
	if !ok {
		return nil, fmt.Errorf("a %T cannot be merged", v)
	}
	return m, nil
}

// Get returns the merged value of a key, nil if there is none.
func (c *Client) Get(_ context.Context, key string) (any, error) {
	f, err := c.fold(key)
	if err != nil {
		return nil, err
	}
	m, err := f.Get()
	if m == nil {
		return nil, err
	}
	return m, err
}

// CAS has f change the value, and publishes the change. There is no conflict to try again for: changes of others are merged.
func (c *Client) CAS(ctx context.Context, key string, f func(in any) (out any, retry bool, err error)) error {
	fold, err := c.fold(key)
	if err != nil {
		return err
	}
	return fold.Update(ctx, func(part memberlist.Mergeable) (memberlist.Mergeable, error) {
		in, err := c.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		before := c.empty()
		if in != nil {
			before = in.(memberlist.Mergeable).Clone()
		}
		out, _, err := f(in)
		if err != nil || out == nil {
			return orEmpty(part, c.empty), err
		}
		change, err := before.Merge(out.(memberlist.Mergeable), true)
		if err != nil {
			return nil, err
		}
		own := orEmpty(part, c.empty)
		if change != nil {
			_, err = own.Merge(change, false)
		}
		return own, err
	})
}

func orEmpty(m memberlist.Mergeable, empty func() memberlist.Mergeable) memberlist.Mergeable {
	if m == nil {
		return empty()
	}
	return m
}

// WatchKey calls f with the value, and again whenever it has changed, until f returns false or ctx ends.
func (c *Client) WatchKey(ctx context.Context, key string, f func(any) bool) {
	fold, err := c.fold(key)
	if err != nil {
		return
	}
	for m, err := range fold.Watch(ctx) {
		if err == nil && m != nil && !f(m) {
			return
		}
	}
}

// WatchPrefix calls f with the value of each key that begins with a prefix whenever a part of it has changed.
func (c *Client) WatchPrefix(ctx context.Context, start string, f func(string, any) bool) {
	for change := range c.node.WatchKeys(ctx, "", prefix+start) {
		key := strings.TrimPrefix(change.Key, prefix)
		if m, err := c.Get(ctx, key); err == nil && m != nil && !f(key, m) {
			return
		}
	}
}

// List returns the keys that begin with a prefix.
func (c *Client) List(_ context.Context, start string) ([]string, error) {
	seen := map[string]bool{}
	var keys []string
	for m := range c.node.View().All() {
		for key := range m.KeysFrom(prefix + start) {
			if !strings.HasPrefix(key, prefix+start) {
				break
			}
			if key = strings.TrimPrefix(key, prefix); !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}

// Delete is not possible: a member withdraws its own part alone.
func (c *Client) Delete(context.Context, string) error {
	return errors.New("dskitkv: a value has parts of several members; none can delete it for all")
}
