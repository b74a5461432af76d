package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Everything that reads the view, the members or the shared map of a core goes through the functions of this file.

// members returns what a node knows, by name.
func members(n *Node) []core.Member {
	return slices.SortedFunc(n.Core.Members(), func(a, b core.Member) int { return strings.Compare(a.Name, b.Name) })
}

// member returns what a node knows of a name.
func member(n *Node, id string) (core.Member, bool) { return n.Core.Member(id) }

// checkMembers compares what a core reports of its members, change by change, with what its records make.
func (n *Node) checkMembers() error {
	n.Core.Show(n.shown)
	return n.Core.CheckMembers(n.shown)
}

// recordCount is the number of records that a node keeps, its own included.
func recordCount(n *Node) int { return n.Core.Known() }

// reachesNone reports whether a node knows others and reaches none of them.
func reachesNone(n *Node) bool { return n.Core.Isolated() }

// sharedValue returns the value of a key of the shared map, and the stamp of the write or delete that a node has of it.
func sharedValue(n *Node, key string) (value string, stamp core.Stamp, ok bool) {
	return n.Core.Shared(key)
}

// canShare returns why a node refuses a write to the shared map, nil if it takes it.
func canShare(n *Node, key, value string) error { return n.Core.CheckSharedSet(key, value) }

// canSet returns why a node refuses an own key, nil if it takes it.
func canSet(n *Node, key, value string) error { return n.Core.CheckSet(key, value) }

// coreStaleness is what a node reports about itself.
func coreStaleness(n *Node) time.Duration { return n.Core.Staleness() }

// version is a place in the order of one record.
type version struct{ generation, version uint64 }

func (v version) before(o version) bool {
	return v.generation < o.generation || v.generation == o.generation && v.version < o.version
}

// versionAt returns how much of the record of m a node has.
func versionAt(n, m *Node) version {
	g, v := n.Core.Has(m.hash)
	return version{g, v}
}
