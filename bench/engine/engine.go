// Package engine drives membership engines: N members of one kind in this process, behind one interface, so that the same
// scenarios can be played with each.
package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/goconvoke/convoke/bench/fabric"
)

// Kind is what one member observed about another.
type Kind uint8

const (
	Alive   Kind = iota // the observer lists the subject from now on
	Gone                // the observer does not list it any more
	Updated             // the observer sees a value of the subject
	Shared              // the observer sees a value of the subject in the user data
)

// Event is one observation.
type Event struct {
	Observer, Subject int
	Kind              Kind
	Value             uint64 // of Alive, Updated and Shared; 0 if the subject has published none
}

// Sink takes events. It is quick, and safe for concurrent use.
type Sink func(Event)

// Cluster drives all members of one engine; they are numbered from 0. Methods may be called at once for different members.
type Cluster interface {
	// Start brings a member up by itself; it knows no other.
	Start(i int) error
	// Join has a member contact another one, once.
	Join(i, seed int) error
	// Stop ends a member without a leave: the network has taken it away before.
	Stop(i int)
	// Update publishes a value of a member, in a key, its meta data or a tag. It does not wait until others have it.
	Update(i int, value uint64) error
	// Share writes a value of a member in the engine's path for data of users: a key of the shared map, a broadcast of the delegate,
	// an event. It does not wait until others have it.
	Share(i int, value uint64) error
	// Close ends all members and waits for what they started.
	Close()
}

// StateHolder is a Cluster whose members can hold state that is much larger than a datagram.
type StateHolder interface {
	// Fill gives state to the members that are started. It may return before all of them have it.
	Fill(state []Entry) error
	// Held returns how many bytes of that state a member has; only values count.
	Held(i int) int
}

// Entry is a piece of state: a key that is one of Fill only, and its value.
type Entry struct {
	Writer     int // the member that writes it
	Key, Value string
	Own        bool // it belongs to its writer; an engine may keep it with all others
}

// statePrefix begins the keys of a state, and distinguishes them from those of Share.
const statePrefix = "state/"

// Factory makes a cluster of n members that are not started. Its members talk over the fabric, or over sockets of
// 127.0.0.1 if that is nil. What they observe goes to the sink.
type Factory func(n int, net *fabric.Fabric, sink Sink) Cluster

// factories are all engines that there are.
var factories = map[string]Factory{
	"gossip":     newGossip,
	"memberlist": newMemberlist,
	"serf":       newSerf,
}

// Names returns the names of all engines, sorted.
func Names() []string { return slices.Sorted(maps.Keys(factories)) }

// Lookup returns the engine of a name.
func Lookup(name string) (Factory, error) {
	if f := factories[name]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("unknown engine %q, want one of %v", name, Names())
}

// key is where members publish their value.
const key = "v"

// nodePrefix begins the names of members.
const nodePrefix = "node-"

func nodeName(i int) string { return fmt.Sprintf(nodePrefix+"%04d", i) }

// nodeIndex is the reverse of nodeName. Names come from our own members only.
func nodeIndex(name string) int {
	var i int
	if _, err := fmt.Sscanf(name, nodePrefix+"%d", &i); err != nil {
		panic(fmt.Sprintf("member %q is none of ours", name))
	}
	return i
}
