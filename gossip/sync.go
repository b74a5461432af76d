package gossip

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/internal/span"
)

// askMost bounds the versions of one question: half a frame.
const askMost = 1 << 14

// Sync returns when every member that is up has what this node wrote to the shared map before, or something newer, or with an error
// that names those that are not known to have it when ctx ends. Members that are down get it when they are back.
func (s *Shared) Sync(ctx context.Context) error {
	ctx, sp := s.node.tracer.Start(ctx, "convoke.gossip.shared.sync")
	err := s.sync(ctx, sp)
	span.End(sp, err)
	return err
}

func (s *Shared) sync(ctx context.Context, sp trace.Span) error {
	versions, dropped := s.unsyncedWrites()
	missing := map[string]bool{}
	var mu sync.Mutex
	s.node.forEachMember(s.node.otherAddrs(), func(id, addr string) {
		if !s.waitForVersions(ctx, id, addr, versions) {
			mu.Lock()
			missing[id] = true
			mu.Unlock()
		}
	})
	if sp.IsRecording() {
		sp.SetAttributes(attribute.Int("convoke.members.lacking", len(missing)))
	}
	switch {
	case len(missing) == 0:
		s.markSynced(versions, dropped)
		return nil
	case ctx.Err() == nil:
		return s.node.Err() // it ended
	}
	return fmt.Errorf("gossip: sync: not known to have it all: %s: %w", strings.Join(slices.Sorted(maps.Keys(missing)), ", "), context.Cause(ctx))
}

// waitForVersions waits until a member has the versions, or is down, and reports whether it came to that before ctx or the node ended.
func (s *Shared) waitForVersions(ctx context.Context, id, addr string, versions []core.SharedVersion) bool {
	lacks := slices.Collect(slices.Chunk(versions, askMost))
	if len(lacks) == 0 {
		return true
	}
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if _, up := s.node.otherAddrs()[id]; !up {
			return true
		}
		if lacks = s.askFor(ctx, id, addr, lacks); len(lacks) == 0 {
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

// askFor asks a member for versions, some at a time over one stream, and returns those of which it is not known to have all.
func (s *Shared) askFor(ctx context.Context, id, addr string, all [][]core.SharedVersion) (lacks [][]core.SharedVersion) {
	var chunks [][]core.SharedVersion
	for _, versions := range all {
		if versions = s.heldVersions(versions); len(versions) > 0 {
			chunks = append(chunks, versions)
		}
	}
	answered := 0
	_ = s.node.askAll(ctx, id, addr, chunks, func(a *core.Answer) { // after an error, the rest is asked for next time
		if a.Lacks > 0 {
			lacks = append(lacks, chunks[answered])
		}
		answered++
	})
	return append(lacks, chunks[answered:]...)
}

// heldVersions returns the versions of keys that this node still has: a tombstone that it has dropped since is dropped by the others too.
func (s *Shared) heldVersions(versions []core.SharedVersion) []core.SharedVersion {
	gone := func(v core.SharedVersion) bool { return s.loadEntry(v.ID) == nil }
	if !slices.ContainsFunc(versions, gone) {
		return versions
	}
	return slices.DeleteFunc(slices.Clone(versions), gone)
}

// unsyncedWrites returns the own writes not yet known to be everywhere, by ID. If there were too many to remember, it is all that this node
// has now: its own writes, or what has taken their place. Dropped counts those that were too many.
func (s *Shared) unsyncedWrites() (versions []core.SharedVersion, dropped int) {
	s.mu.Lock()
	dropped = s.dropped
	versions = slices.Collect(maps.Values(s.unsynced))
	s.mu.Unlock()
	if dropped > 0 {
		versions = versions[:0]
		s.entries.each(func(e *core.SharedEntry) bool {
			versions = append(versions, core.SharedVersion{ID: core.SharedID(e.Space, e.Key), Stamp: e.Stamp, Writer: e.Writer})
			return true
		})
	}
	slices.SortFunc(versions, compareVersion)
	return versions, dropped
}

func compareVersion(a, b core.SharedVersion) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Stamp, b.Stamp), cmp.Compare(a.Writer, b.Writer))
}

// markSynced ends the wait of writes that are everywhere. If more were dropped meanwhile, the next Sync asks for everything again.
func (s *Shared) markSynced(versions []core.SharedVersion, dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped == dropped {
		s.dropped = 0
	}
	maps.DeleteFunc(s.unsynced, func(_ uint64, v core.SharedVersion) bool {
		_, done := slices.BinarySearchFunc(versions, v, compareVersion)
		return done
	})
}
