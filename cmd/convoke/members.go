package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
)

const (
	lookEvery   = 2 * time.Second // in case the connector's notice of a change is late
	lookTimeout = 2 * time.Second
)

// shared is a connector whose notices of a change wake two readers, the supervisor and this
// program: a notice on the connector's own channel wakes only one.
type shared struct {
	carrier
	supervisor, watcher chan struct{} // of one each: a notice that waits is enough
}

func share(c carrier) *shared {
	return &shared{c, make(chan struct{}, 1), make(chan struct{}, 1)}
}

// Changes wakes the supervisor.
func (s *shared) Changes() <-chan struct{} { return s.supervisor }

// pass passes notices on until ctx is done.
func (s *shared) pass(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.carrier.Changes():
		}
		for _, reader := range []chan struct{}{s.supervisor, s.watcher} {
			select {
			case reader <- struct{}{}:
			default:
			}
		}
	}
}

// watchMembers tells the printer every change of the member list, until ctx is done. The first
// list is told at once and holds this node alone. While the connector cannot tell, the last list stands.
// It ends early, and says so, when this node was removed from its cluster.
func watchMembers(ctx context.Context, self string, c *shared, out *printer) (removed bool) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last := []string{self}
	out.members(last, last, nil)
	for {
		now, err := memberNames(ctx, self, c)
		if errors.Is(err, gossip.ErrRemoved) {
			return true
		}
		if err == nil {
			joined, left := minus(now, last), minus(last, now)
			if len(joined)+len(left) > 0 {
				out.members(now, joined, left)
			}
			last = now
		}
		select {
		case <-ctx.Done():
			return false
		case <-c.watcher:
		case <-tick.C:
		}
	}
}

// memberNames returns the names of all members, this node included, sorted.
func memberNames(ctx context.Context, self string, c connector.Connector) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	peers, err := c.List(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{self}
	for _, p := range peers {
		if p.ID == "" {
			names = append(names, p.Addr)
			continue
		}
		names = append(names, p.ID)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// minus returns what is in a and not in b; both are sorted.
func minus(a, b []string) []string {
	var rest []string
	for _, s := range a {
		if _, found := slices.BinarySearch(b, s); !found {
			rest = append(rest, s)
		}
	}
	return rest
}
