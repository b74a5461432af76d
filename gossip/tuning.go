package gossip

import (
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
)

// Protocol is the highest version of the wire protocol that this package speaks; see Member.Protocol.
const Protocol = wire.Protocol

// Tuning is how patient the protocol is, and how much a node keeps. Change it only for all nodes of a cluster together; see
// docs/protocol.md for what each constant costs. [DefaultTuning] has the values for a local network.
type Tuning struct {
	// Rings is the number of hash rings; a node holds links to both its neighbours on each. 2 to 8, the same at all nodes; default 4.
	Rings int
	// Heartbeat is how often a link carries a heartbeat. 50 ms to 1 m; default 1 s.
	Heartbeat time.Duration
	// Silence is the least time without a frame after which a link is closed. At least twice Heartbeat, at most 10 m; default 4.5 s.
	// Crashes are seen without it.
	Silence time.Duration
	// Coalesce is how long urgent changes wait for company before they are sent on. 1 ms to Relax; default 10 ms.
	Coalesce time.Duration
	// Relax is how long changes that nothing waits for, such as one more link of a member that is up, wait for company. Up to Silence;
	// default 500 ms.
	Relax time.Duration
	// Hold is how long a verdict that would take away more than half of the members is held back. Up to 1 m; default 2 s.
	Hold time.Duration
	// DialTimeout bounds a dial. 10 ms to 1 m; default 3 s.
	DialTimeout time.Duration
	// DialCap is the longest pause between two dials of a node that is not reached; they never end. DialTimeout to 10 m; default 10 s.
	DialCap time.Duration
	// Tombstone is how long the mark of a deleted own key is kept. Silence to 24 h; default 1 m.
	Tombstone time.Duration
	// Horizon is how long the cluster remembers that a shared key was deleted or a member removed; a node that was away for longer takes
	// the state of the others over. 1 m to 366 days; default 10 days.
	Horizon time.Duration
	// ForgetAfter is how long a member may be down, or have left, before all forget it; 0: for ever. 1 s to Horizon; default 72 h.
	ForgetAfter time.Duration
	// Limits bound what the others can make a node keep.
	Limits Limits
}

// Limits bound what the others can make a node keep. All nodes of a cluster need the same: what one of them refuses and another
// takes keeps their hashes apart.
type Limits struct {
	// Members is the number of members that are known, those that are down or have left included. 2 to 32,768; default 16,384.
	Members int
	// Record is the size of the keys and values of one member, in bytes, 64 for each added. 4 KiB to 64 MiB; default 1 MiB.
	Record int
	// State is the size of the keys and values of all members, in bytes, at least Record; default 256 MiB.
	State int
	// Shared is the size of the shared map, in bytes, 64 for each key added, keys that were deleted included. 4 KiB to 64 MiB; default
	// 8 MiB. Merging two parts of a cluster may exceed it fourfold.
	Shared int
	// Key and Value are the sizes of what this node itself may write, in bytes. 1 to 1 KiB, and 0 to 256 KiB; default 256 B and 64 KiB.
	Key, Value int
}

// DefaultTuning returns the values for a local network.
func DefaultTuning() Tuning {
	c := core.DefaultConfig()
	return Tuning{
		Rings: c.Rings, Heartbeat: c.Heartbeat, Silence: c.Silence, Coalesce: c.Coalesce, Relax: c.Relax, Hold: c.Hold,
		DialTimeout: c.DialTimeout, DialCap: c.DialCap, Tombstone: c.Tombstone, Horizon: c.Horizon, ForgetAfter: c.ForgetAfter,
		Limits: Limits(c.Limits),
	}
}

// config returns the configuration of the core with these values; the identity of the node remains to be filled in.
func (t Tuning) config() core.Config {
	return core.Config{
		Rings: t.Rings, Heartbeat: t.Heartbeat, Silence: t.Silence, Coalesce: t.Coalesce, Relax: t.Relax, Hold: t.Hold,
		DialTimeout: t.DialTimeout, DialCap: t.DialCap, Tombstone: t.Tombstone, Horizon: t.Horizon, ForgetAfter: t.ForgetAfter,
		Limits: core.Limits(t.Limits),
	}
}
