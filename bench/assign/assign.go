// Package assign measures how other libraries assign shards to members: balance, moves and time, in the sizes and with the metrics of
// the benchmark of quorum/internal/plan. That one is measured beside its package, as this module cannot import it:
//
//	go test -run - -bench . ./assign
//	cd .. && go test -run - -bench . ./quorum/internal/plan
package assign

import (
	"fmt"
	"hash/fnv"

	"github.com/buraksezer/consistent"
	"github.com/dgryski/go-rendezvous"
)

// Assigner assigns shards to members, which are named by numbers.
type Assigner interface {
	// Remove takes a member out.
	Remove(member int)
	// Add adds a member.
	Add(member int)
	// Owner returns the name of the owner of a shard.
	Owner(shard int) string
}

func name(member int) string { return fmt.Sprintf("member-%d", member) }

// hash is 64-bit FNV-1a with the finalizer of SplitMix64, so that names that differ little have hashes that differ much.
func hash(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ring is buraksezer/consistent: consistent hashing with bounded loads.
type ring struct{ *consistent.Consistent }

type node string

func (n node) String() string { return string(n) }

type hasher struct{}

func (hasher) Sum64(b []byte) uint64 { return hash(b) }

// NewConsistent returns the assigner of buraksezer/consistent, 20 points for each member, none with more than load times the mean.
// Its default is 1.25. It rounds the mean down, so with a load near 1 it may panic because no member has room.
func NewConsistent(members, shards int, load float64) Assigner {
	all := make([]consistent.Member, members)
	for i := range all {
		all[i] = node(name(i))
	}
	return ring{consistent.New(all, consistent.Config{PartitionCount: shards, ReplicationFactor: 20, Load: load, Hasher: hasher{}})}
}

func (r ring) Remove(member int)      { r.Consistent.Remove(name(member)) }
func (r ring) Add(member int)         { r.Consistent.Add(node(name(member))) }
func (r ring) Owner(shard int) string { return r.GetPartitionOwner(shard).String() }

// highest is dgryski/go-rendezvous: rendezvous hashing. It keeps no table, so this one is made after each change. Its Remove
// reads behind the end of its list and panics, so each change makes a new one, which costs a hash for each member.
type highest struct {
	members map[int]bool
	keys    []string
	owners  []string
}

// NewRendezvous returns the assigner of dgryski/go-rendezvous.
func NewRendezvous(members, shards int) Assigner {
	h := &highest{members: make(map[int]bool, members), keys: make([]string, shards), owners: make([]string, shards)}
	for i := range members {
		h.members[i] = true
	}
	for i := range h.keys {
		h.keys[i] = fmt.Sprintf("shard-%d", i)
	}
	h.assign()
	return h
}

func (h *highest) assign() {
	names := make([]string, 0, len(h.members))
	for i := range h.members {
		names = append(names, name(i))
	}
	r := rendezvous.New(names, func(s string) uint64 { return hash([]byte(s)) })
	for i, key := range h.keys {
		h.owners[i] = r.Lookup(key)
	}
}

func (h *highest) Remove(member int) {
	delete(h.members, member)
	h.assign()
}

func (h *highest) Add(member int) {
	h.members[member] = true
	h.assign()
}

func (h *highest) Owner(shard int) string { return h.owners[shard] }
