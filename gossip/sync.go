package gossip

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

// Sync returns when every member that is up has what this node wrote to the shared map before, or with an error that names those who
// are not known to have it when ctx ends. Members that are down get it when they are back.
func (s *Shared) Sync(ctx context.Context) error {
	versions, whole := s.written()
	missing := map[string]bool{}
	var mu sync.Mutex
	s.node.each(s.node.others(), func(id, addr string) {
		if !s.has(ctx, id, addr, versions, whole) {
			mu.Lock()
			missing[id] = true
			mu.Unlock()
		}
	})
	switch {
	case len(missing) == 0:
		s.synced(versions)
		return nil
	case ctx.Err() == nil:
		return s.node.Err() // it ended
	}
	return fmt.Errorf("gossip: sync: not known to have it all: %s: %w", strings.Join(slices.Sorted(maps.Keys(missing)), ", "), context.Cause(ctx))
}

// has waits until a member has the versions, or is down, and reports whether it came to that before ctx or the node ended.
func (s *Shared) has(ctx context.Context, id, addr string, versions []core.SharedVersion, whole bool) bool {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if _, up := s.node.others()[id]; !up {
			return true
		}
		a, err := s.node.ask(ctx, id, addr, versions)
		if err == nil && a.Lacks == 0 && (!whole || a.Shared == s.node.View().Shared) {
			return true
		}
		select {
		case <-time.After(wait):
		case <-s.node.done:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// written returns the own writes not yet known to be everywhere; whole says that there are too many, so that the maps must be equal.
func (s *Shared) written() (versions []core.SharedVersion, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.unsynced {
		versions = append(versions, v)
	}
	return versions, s.unsynced == nil
}

// synced forgets the writes that are everywhere.
func (s *Shared) synced(versions []core.SharedVersion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsynced == nil {
		s.unsynced = map[string]core.SharedVersion{}
	}
	done := map[core.SharedVersion]bool{}
	for _, v := range versions {
		done[v] = true
	}
	maps.DeleteFunc(s.unsynced, func(_ string, v core.SharedVersion) bool { return done[v] })
}
