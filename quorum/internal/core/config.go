package core

import (
	"errors"
	"fmt"
	"time"
)

// Bounds on what members can make each other keep.
const (
	MaxName     = 255       // bytes of the name of a member, zone, group
	MaxSessions = 16384     // of all members together
	MaxGroups   = 1024      // in one quorum
	MaxShards   = 65536     // of one group
	MaxCopies   = 7         // of one shard
	MaxReturn   = time.Hour // of GroupSettings.Return

	DefaultMoves = 32 // of GroupSettings.Moves, which is at most MaxShards

	MaxKey   = 512      // bytes of a key of the map
	MaxValue = 64 << 10 // bytes of a value of the map
	MaxMap   = 16 << 20 // bytes of all keys and values of the map
	MaxEntry = 96 << 10 // bytes of one entry of the log

	// maxSessionsOfOne bounds the sessions of one member: that of its process, and those of earlier ones which are not over yet.
	maxSessionsOfOne = 16
)

// Config describes one member. All members of a quorum need the same Lease.
type Config struct {
	Name string // of the member, 1 to MaxName bytes
	// ID is the member's identity as a voter. It belongs to one disk: a member whose disk is empty or damaged takes a new
	// one, since a voter that returns without what it promised may vote twice. 0: the member is never a voter.
	ID     uint64
	Zone   string
	Voters int // wanted: 1, 3, 5 or 7

	Lease        time.Duration // L, 1 s to 60 s
	ReplaceAfter time.Duration // a voter is replaced after it was down for so long
	Settled      time.Duration // a member can become a voter after it was up for so long
	Quiet        time.Duration // shards move for balance alone after no session came or went for so long
	KeepEntries  int           // the log is cut to about so many entries

	// Predecessor is the session that an earlier process had which certainly has ended: this one opened its locked directory.
	Predecessor uint64
}

// DefaultConfig returns the defaults; Name and ID are left to fill in.
func DefaultConfig() Config {
	return Config{Voters: 3, Lease: 5 * time.Second, ReplaceAfter: 30 * time.Second, Settled: 10 * time.Second,
		Quiet: 10 * time.Second, KeepEntries: 4096}
}

// Validate reports every setting that is out of its bounds.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(len(c.Name) > 0 && len(c.Name) <= MaxName, "name %q: want 1 to %d bytes", c.Name, MaxName)
	check(len(c.Zone) <= MaxName, "zone %q: want at most %d bytes", c.Zone, MaxName)
	check(c.Voters == 1 || c.Voters == 3 || c.Voters == 5 || c.Voters == 7, "voters %d: want 1, 3, 5 or 7", c.Voters)
	check(c.Lease >= time.Second && c.Lease <= time.Minute, "lease %v: want 1s to 60s", c.Lease)
	check(c.ReplaceAfter >= 0 && c.Settled >= 0 && c.Quiet >= 0, "a duration below 0")
	check(c.KeepEntries >= 16, "kept entries %d: want at least 16", c.KeepEntries)
	return errors.Join(errs...)
}

// Timing of elections and rounds. A timer that is too short costs an election that changes nothing for any holder, so they are short.
const (
	tick           = 100 * time.Millisecond // heartbeats of a leader
	electionTicks  = 10                     // of a leader without a quorum before it steps down
	silence        = 500 * time.Millisecond // a follower campaigns after 1 to 2 times this without its leader
	campaignTurn   = 15 * time.Millisecond  // between the first campaigns of two voters after a verdict
	campaignAgain  = 50 * time.Millisecond  // between the campaigns of one voter that found no quorum for its pre-vote
	campaignRest   = 500 * time.Millisecond // the same after campaignBurst attempts, and how long a vote may take
	campaignBurst  = 20
	marginFixed    = 10 * time.Millisecond
	marginPerMille = 20 // ε: by how much the rates of two clocks may differ
)

// expiry is how long a leader waits before it ends a session.
func (c Config) expiry() time.Duration { return c.Lease + c.Lease*marginPerMille/1000 + marginFixed }

// renewal is the interval of renewals.
func (c Config) renewal() time.Duration { return c.Lease / 5 }
