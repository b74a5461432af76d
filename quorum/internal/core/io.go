package core

import (
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// Input is what a shell hands to the core: the set is closed.
type Input interface{ input() }

type (
	// Tick reports that time has passed; due no later than [Core.NextTick].
	Tick struct{}

	// Found reports the birth of this quorum, once: by a formation, or by what another member publishes. Voters are the first
	// ones, the same at all of them; a member that is none of them needs no more than the Birth.
	Found struct {
		Birth  Birth
		Voters []Voter
		// CameFrom is the birth that this member belonged to until its [BirthEnded]; 0 for none. Tokens become greater than those of it, and
		// members that still belong to it learn that it is over.
		CameFrom Birth
	}

	// EndBirth asks that this birth ends, because there is an older one, which its members join; see [OtherBirth]. One member that knows of it
	// suffices. [BirthEnded] follows at each of them when none acts in this birth any more.
	EndBirth struct{ Older Birth }

	// View hands over the members as the membership core sees them. It is a hint: a wrong view costs time, never safety.
	View struct{ Members []Member }

	// Received hands over a frame of another member, in the order of its stream.
	Received struct {
		From  string
		Frame Frame
	}

	// LinkDown reports that the streams with a member broke: frames sent and not received are lost.
	LinkDown struct{ Peer string }

	// Persisted reports that everything up to and with this [Persist] is on the disk.
	Persisted struct{ Seq uint64 }

	// Serve has the member take part in a group; Weight 0 ends that.
	Serve struct{ Group GroupSettings }

	// Stopped reports that the function which a [Start] began has returned.
	Stopped struct {
		Group string
		Shard int
		Token Token
	}

	// Drain frees the member of all shards and then ends its session; [Drained] follows.
	Drain struct{}

	// Leave is what a process does before it ends on purpose: it drains, and a voter hands over leadership and has another member take its
	// place as a voter, if there is one that can. [Left] follows, after Timeout at the latest.
	Leave struct{ Timeout time.Duration }

	// Read reads a key of the map, or with no Key waits until all that was committed before is in the table. A [Result] follows.
	Read struct {
		ID      uint64 // chosen by the shell, never used again
		Key     string
		Timeout time.Duration
	}

	// Watch asks for what changed in the map, of keys with a prefix, after an index, and waits until there is something; [NoLeader] at the timeout
	// means that there was nothing. A [Result] follows with Changes, up to and with its Index, from where the next Watch goes on. With Since 0, or
	// an index that the leader remembers no more, the result is Whole: all keys, in their order. If there are More, the next
	// Watch names the last one in After, and after the last page it goes on from the index of the first one.
	Watch struct {
		ID      uint64 // chosen by the shell, never used again
		Prefix  string
		Since   uint64
		After   string
		Timeout time.Duration
	}

	// Write writes or deletes a key of the map, if the key was last written at Prev (0: is not there). A [Result] follows.
	Write struct {
		ID      uint64
		Key     string
		Value   []byte
		Prev    uint64
		Delete  bool
		Session bool // the key goes when this member's session ends
		Timeout time.Duration
	}

	// Pin fixes a shard to a member, until it is pinned to another one or, with no Member, to none. While the member takes no part in
	// the group the shard goes elsewhere; once it does, the shard is handed over to it. A [Result] follows when the log has it.
	Pin struct {
		ID      uint64 // chosen by the shell, never used again
		Group   string
		Shard   int
		Member  string
		Timeout time.Duration
	}

	// Move hands a shard to a member now, and leaves it to the balance from then on. A [Result] follows when the member holds it, or cannot
	// any more; [Unknown] means that the hand-over may still happen.
	Move struct {
		ID      uint64
		Group   string
		Shard   int
		Member  string
		Timeout time.Duration
	}

	// Exclude frees a member, by name, of all shards of a group, and of its restarts too, until Undo. A [Result] follows when the log has it;
	// [Core.Status] shows how many shards the member still holds. A member that frees itself uses [Serve] with Weight 0, or [Drain].
	Exclude struct {
		ID      uint64
		Group   string
		Member  string
		Undo    bool
		Timeout time.Duration
	}

	// Transfer has the leader hand leadership to another voter, by name; "" to the one with the most entries. A [Result] follows when it has
	// begun: [NotFound] if no such voter answers. Whether it succeeds shows in who leads next.
	Transfer struct {
		ID      uint64
		To      string
		Timeout time.Duration
	}
)

func (Tick) input()      {}
func (Found) input()     {}
func (EndBirth) input()  {}
func (View) input()      {}
func (Received) input()  {}
func (LinkDown) input()  {}
func (Persisted) input() {}
func (Serve) input()     {}
func (Stopped) input()   {}
func (Drain) input()     {}
func (Leave) input()     {}
func (Read) input()      {}
func (Watch) input()     {}
func (Write) input()     {}
func (Pin) input()       {}
func (Move) input()      {}
func (Exclude) input()   {}
func (Transfer) input()  {}

// Request is an Input that a [Result] answers.
type Request interface {
	Input
	WithID(id uint64) Request // the same request under an ID, chosen by the shell and never used again
}

// WithID implements [Request].
func (r Read) WithID(id uint64) Request { r.ID = id; return r }

// WithID implements [Request].
func (r Write) WithID(id uint64) Request { r.ID = id; return r }

// WithID implements [Request].
func (r Watch) WithID(id uint64) Request { r.ID = id; return r }

// WithID implements [Request].
func (r Pin) WithID(id uint64) Request { r.ID = id; return r }

// WithID implements [Request].
func (r Move) WithID(id uint64) Request { r.ID = id; return r }

// WithID implements [Request].
func (r Exclude) WithID(id uint64) Request { r.ID = id; return r }

// WithID implements [Request].
func (r Transfer) WithID(id uint64) Request { r.ID = id; return r }

// Voter is a member as a voter of the log.
type Voter struct {
	ID   uint64 // see Config.ID
	Name string
}

// Member is one member as the membership core sees it.
type Member struct {
	Name  string
	Voter uint64 // its Config.ID; 0: not eligible, or not known
	Zone  string
	Disk  bool
	Up    bool
	Left  bool   // it left on purpose
	Leads uint64 // the term in which it published that it leads; 0: never
	Birth Birth  // the birth that it published; 0: none, or not known
}

// GroupSettings are what a member asks of a group it takes part in.
type GroupSettings struct {
	Name   string
	Shards int
	Level  Level
	Copies int
	Weight int
	// Return is how long after its last renewal a member's shards wait for its return before they go to others: 0 to MaxReturn. Like the
	// number of shards it is that of the group's first entry.
	Return time.Duration
	// Moves is how many hand-overs may be under way at once, the least that any member asks for; 0: DefaultMoves.
	Moves int
}

// Output is what a shell has to do, in order: the set is closed.
type Output interface{ output() }

type (
	// Send sends a frame over the stream with a member, which the shell opens if there is none. Frames arrive in order or, once
	// the stream broke, not at all.
	Send struct {
		To    string
		Frame Frame
	}

	// Persist puts changes on the disk, all of them or none, in the order of Seq. A shell may put many in one commit, and
	// acknowledges with one [Persisted]. Fields that are empty change nothing.
	Persist struct {
		Seq      uint64
		Birth    Birth
		CameFrom Birth // see Found
		Hard     *pb.HardState
		Entries  []*pb.Entry  // these, and nothing after the last of them
		Snapshot *pb.Snapshot // in the place of an older one
		First    uint64       // entries below are needed no more
		Reset    bool         // all entries of before are void: Snapshot replaces them
	}

	// Start begins the function for a shard; it may act while [Lease] allows it and until [Stop].
	Start struct {
		Group string
		Shard int
		Token Token
	}

	// Stop ends the context of a shard's function. The shard goes on to its next holder once [Stopped] reports the return, or
	// when the lease is over.
	Stop struct {
		Group string
		Shard int
		Token Token
		Lost  bool // the lease is over: it must not act any more
	}

	// Standby reports that the member is to hold a shard next (On), so that its program can prepare for it, or no longer. The right to act
	// comes with [Start] alone, which ends the standby without another report.
	Standby struct {
		Group string
		Shard int
		On    bool
	}

	// Lease reports until which reading of Now.Lease this member may act on what it holds.
	Lease struct {
		Session uint64
		Until   time.Duration
	}

	// Lost reports that the member's session ended by itself; a new one is opened.
	Lost struct{ Session uint64 }

	// Leading reports that this member leads in a term, or that it ceased to (Term 0). The shell publishes it.
	Leading struct{ Term uint64 }

	// Changed reports that [Core.Table] has changed.
	Changed struct{}

	// Refused reports that a group exists with other settings than this member asked for.
	Refused struct {
		Group string
		Have  GroupSettings
	}

	// Drained reports that the member holds nothing and that its session has ended.
	Drained struct{}

	// Left ends a [Leave]. Voter reports that the member still is a voter, or does not know better, because no other one could take its place in time; Shards is how
	// many functions have not returned.
	Left struct {
		Voter  bool
		Shards int
	}

	// Result answers a request. Index is that of the key's last write, 0 if it is not there; of requests on shards the entry's in the log.
	Result struct {
		ID    uint64
		Code  Code
		Index uint64
		Value []byte
		Used  uint64 // of a Write that is Full: bytes in the map

		Changes     []MapChange // of a Watch
		Whole, More bool
	}

	// Rejected reports that something a peer sent broke a limit or a rule and was dropped.
	Rejected struct{ Peer, Reason string }

	// OtherBirth reports a peer that belongs to another founding. Nothing is exchanged with it. A shell that knows the births of all members need not
	// act on it.
	OtherBirth struct {
		Peer  string
		Birth Birth
	}

	// BirthEnded reports that this birth is over and that this member holds nothing. The shell drops all that the core had persisted, its
	// identity as a voter included, and begins a new Core, which it gives the birth Into as [Found], and Birth as the one that it came from.
	BirthEnded struct{ Birth, Into Birth }

	// Failed reports that an internal contract broke. The core does nothing more; its leases run out by themselves.
	Failed struct{ Reason string }
)

func (Send) output()       {}
func (Persist) output()    {}
func (Start) output()      {}
func (Stop) output()       {}
func (Standby) output()    {}
func (Lease) output()      {}
func (Lost) output()       {}
func (Leading) output()    {}
func (Changed) output()    {}
func (Refused) output()    {}
func (Drained) output()    {}
func (Left) output()       {}
func (Result) output()     {}
func (Rejected) output()   {}
func (OtherBirth) output() {}
func (BirthEnded) output() {}
func (Failed) output()     {}
