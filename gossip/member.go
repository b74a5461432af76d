package gossip

import (
	"iter"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Status is what a node knows of a member: whether it is reachable over links that both of its ends publish.
type Status uint8

// The statuses of a member.
const (
	Up       Status = Status(core.Up)       // reachable
	Degraded Status = Status(core.Degraded) // up, but with less than half of the links it should have
	Down     Status = Status(core.Down)     // known, but not reachable from here
	Left     Status = Status(core.Left)     // has announced that it leaves
)

// String returns the name of the status, such as "up".
func (s Status) String() string { return core.Status(s).String() }

// Member is one member in a [View]. It is never changed: a member of which nothing changed is the same *Member in the next view. It takes
// 112 bytes, and a node has one for each member.
type Member struct {
	// Name is unique in the cluster.
	Name string
	// Addr is the host:port at which it can be dialled.
	Addr string
	// Status is whether it is up, since Since by the clock of this node.
	Status Status
	// Protocol is the highest version of the wire protocol that it speaks; 0 if it does not publish any.
	Protocol uint16
	Since    time.Time
	// Zone and Version are what it publishes of where it runs and of its application (Config.Zone, Config.Version); "" if nothing.
	Zone, Version string
	// Generation is that of its life: each start of the process has a higher one.
	Generation uint64

	keys core.Keys
}

// memberOf returns what a view shows of a member that is as it is since a moment.
func memberOf(m core.Member, since time.Time) Member {
	return Member{
		Name: m.Name, Addr: m.Addr, Status: Status(m.Status), Since: since, Zone: m.Zone, Version: m.Release,
		Generation: m.Generation, Protocol: m.Protocol, keys: m.Keys,
	}
}

// Up reports whether the member is up, with all of its links or with few of them.
func (m *Member) Up() bool { return m.Status == Up || m.Status == Degraded }

// Get returns the value of a key that the member publishes. It takes no lock and allocates nothing.
func (m *Member) Get(key string) (value string, ok bool) { return m.keys.Get(key) }

// Keys yields the keys that the member publishes with their values, in the order of the keys.
func (m *Member) Keys() iter.Seq2[string, string] { return m.keys.From("") }

// KeysFrom is Keys from a key on: those that sort before it are skipped at no cost.
func (m *Member) KeysFrom(first string) iter.Seq2[string, string] { return m.keys.From(first) }

// NumKeys returns the number of keys that the member publishes.
func (m *Member) NumKeys() int { return m.keys.Len() }

// sameKeys reports whether two members publish the same keys with the same values. It costs the same however many there are.
func (m *Member) sameKeys(o *Member) bool { return m.keys.Equal(o.keys) }
