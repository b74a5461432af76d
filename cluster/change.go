package cluster

import (
	"maps"
	"slices"
)

// change is a topology that differs between two configurations; from or to is nil if it is new or removed.
type change struct {
	name     string
	from, to *Topology
}

// changesOf returns what differs between two configurations: new and changed topologies in their order, then those removed.
func changesOf(before, after *Config) (all []change) {
	old := make(map[string]*Topology)
	for i := range before.Topologies {
		old[before.Topologies[i].Name] = &before.Topologies[i]
	}
	for i := range after.Topologies {
		to := &after.Topologies[i]
		from := old[to.Name]
		delete(old, to.Name)
		if from == nil || !sameSettings(*from, *to) || !from.Config.Equal(to.Config) {
			all = append(all, change{to.Name, from, to})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		all = append(all, change{name, old[name], nil})
	}
	return all
}

func (c change) event() Event {
	kind := EventTopologyChanged
	switch {
	case c.from == nil:
		kind = EventTopologyAdded
	case c.to == nil:
		kind = EventTopologyRemoved
	}
	return Event{Kind: kind, Topology: c.name}
}
