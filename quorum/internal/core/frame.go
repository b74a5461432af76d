package core

import pb "go.etcd.io/raft/v3/raftpb"

// Frame is a message between members: the set is closed. A frame that was handed out or in is read-only.
type Frame interface {
	frame()
	birth() Birth
}

// Bounds on lists in frames.
const (
	maxHolds  = 1024
	maxStream = 512 // entries of the table in one frame
)

type (
	// RaftFrame is a message between voters.
	RaftFrame struct {
		Birth   Birth
		Message *pb.Message
	}

	// RenewFrame asks the leader to prolong a session, or to open one. It carries all that a member has to report, so that one that
	// is lost is made good by the next.
	RenewFrame struct {
		Birth    Birth
		Session  uint64 // 0: not known yet
		Nonce    uint64 // of the session
		Sent     uint64 // the reading of the member's lease clock, returned as it is
		Zone     string
		Replaces uint64 // a session of the same member that holds nothing any more: see Config.Predecessor
		Table    uint64 // index up to which the member has the table
		Drain    bool   // take its shards
		End      bool   // it holds nothing: end the session
		Serves   []GroupSettings
		Releases []Hold
		Older    Birth // an older birth, for which this one is to end
		CameFrom Birth // the birth of this member before this one, which is over
	}

	// RenewedFrame answers a RenewFrame.
	RenewedFrame struct {
		Birth   Birth
		Term    uint64
		Session uint64
		Nonce   uint64
		Sent    uint64
		Gone    bool // the session has ended
		Drain   bool // answers one that has Drain
		Votes   bool // of a member that drains: it is a voter or learner
		Wait    bool // it is one, and if it leaves, another member can take its place
	}

	// EndedFrame answers a member of a birth that is over: nothing is held in it, and its members join an older one.
	EndedFrame struct {
		Birth Birth
		Into  Birth
	}

	// RevokeFrame asks a member to stop and release shards.
	RevokeFrame struct {
		Birth   Birth
		Session uint64
		Holds   []Hold
	}

	// TableFrame brings a member's table from Prev to Last, by the entries in between that concern it, or by a whole table.
	TableFrame struct {
		Birth      Birth
		Term       uint64
		Prev, Last uint64
		Whole      []byte
		Entries    []TableEntry
	}

	// RequestFrame is a request on the map, or of an operator on a shard.
	RequestFrame struct {
		Birth   Birth
		ID      uint64
		Kind    uint8 // requestRead …
		Key     string
		Value   []byte
		Prev    uint64
		Session uint64
		Group   string
		Shard   int
		Member  string
		Undo    bool
		After   string
	}

	// ResponseFrame answers a RequestFrame.
	ResponseFrame struct {
		Birth Birth
		ID    uint64
		Code  Code
		Index uint64
		Value []byte
		At    uint64 // of a read: the index up to which everything was applied
		Used  uint64 // of a write that is Full: bytes in the map
		// of a watch: see Result
		Changes     []MapChange
		Whole, More bool
	}

	// NotLeaderFrame answers what only a leader can do. Leader is the name of the leader that the sender follows, or "".
	NotLeaderFrame struct {
		Birth  Birth
		Term   uint64
		Leader string
		ID     uint64 // of the request; 0: it was a renewal
	}
)

// Kinds of requests.
const (
	requestRead = iota + 1
	requestPut
	requestDelete
	requestPin
	requestMove
	requestExclude
	requestTransfer

	requestWatch = 32
)

// Hold names a shard that is held under a token.
type Hold struct {
	Group uint64 // its ID
	Shard int
	Token Token
}

// TableEntry is one entry of the log that concerns the table.
type TableEntry struct {
	Index uint64
	Data  []byte
}

func (*RaftFrame) frame()      {}
func (*RenewFrame) frame()     {}
func (*RenewedFrame) frame()   {}
func (*RevokeFrame) frame()    {}
func (*TableFrame) frame()     {}
func (*RequestFrame) frame()   {}
func (*ResponseFrame) frame()  {}
func (*NotLeaderFrame) frame() {}
func (*EndedFrame) frame()     {}

func (f *RaftFrame) birth() Birth      { return f.Birth }
func (f *RenewFrame) birth() Birth     { return f.Birth }
func (f *RenewedFrame) birth() Birth   { return f.Birth }
func (f *RevokeFrame) birth() Birth    { return f.Birth }
func (f *TableFrame) birth() Birth     { return f.Birth }
func (f *RequestFrame) birth() Birth   { return f.Birth }
func (f *ResponseFrame) birth() Birth  { return f.Birth }
func (f *NotLeaderFrame) birth() Birth { return f.Birth }
func (f *EndedFrame) birth() Birth     { return f.Birth }
