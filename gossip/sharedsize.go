package gossip

import (
	"context"
	"fmt"
)

// SharedSize is how large the shared map is at one node. Bytes count keys, values and what the map needs for each.
type SharedSize struct {
	Keys       int // with a value
	Values     int // bytes
	Tombstones int // bytes that deleted and expired keys take until they are forgotten
	Limit      int // of Values in bytes, and of Tombstones
}

// Size returns how large the map is. It asks the loop and costs as much as there are keys; an error is that of ctx, or [ErrStopped] and
// the like after the end of the node.
func (s *Shared) Size(ctx context.Context) (SharedSize, error) {
	var size SharedSize
	query := func() { size.Values, size.Tombstones, size.Limit = s.node.core.SharedSize() }
	if err := s.node.request(ctx, event{query: query}); err != nil {
		return size, fmt.Errorf("gossip: size of the shared map: %w", err)
	}
	for range s.All("") {
		size.Keys++
	}
	return size, nil
}
