package quorumlab

import (
	"encoding/json"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goconvoke/convoke/quorum"
)

// Groups that every node with a quorum part works on, and the number of shards of each.
const (
	Exclusive = "exclusive"
	Fenced    = "fenced"
	Shards    = 12
)

// config is what a node is started with, as JSON in its only argument.
type config struct {
	Name, Listen string
	Peers        []string // addresses that it joins
	Dir          string
	Socket       string // of the test process
	Plain        bool   // no quorum part
	Voters       int
	Expect       int
	Lease        time.Duration
	ReplaceAfter time.Duration
}

// event is a line from a node to the test process.
type event struct {
	Kind  string // "hello", "begin", "act", "end", "leads", "called", "call" or "reply"
	At    time.Duration
	Group string          `json:",omitempty"`
	Shard int             `json:",omitempty"`
	Token uint64          `json:",omitempty"`
	Term  uint64          `json:",omitempty"` // of a leader
	Call  *Call           `json:",omitempty"` // that begins ("called") or has ended
	ID    uint64          `json:",omitempty"` // of the request that is answered
	Reply json.RawMessage `json:",omitempty"`
	Error string          `json:",omitempty"`
}

// request is a line from the test process to a node.
type request struct {
	ID      uint64
	Do      string // "status", "get", "set", "clients" or "junk"
	Key     string
	Value   string
	Member  string  // for junk: whom it is sent to
	Clients Clients // for clients
}

// Clients is what the clients of a node are to do.
type Clients struct {
	Parts []Part
	Each  int           // clients of each part
	For   time.Duration // for how long each begins calls
	Run   int           // distinguishes the clients of a node from those before
}

// Part is what the clients of one history call.
type Part struct {
	Name    string   // of the history, and the prefix of its keys
	Shards  []int    // of both groups
	Members []string // that shards are moved to
}

// Call is one operation on the map, or on a shard, with its outcome, by the clock of [Now].
type Call struct {
	History        string // "" for calls that belong to none
	Client         string
	Op             string // "get", "set", "delete" or "append"; "owner" after a sync, or "move"
	Key            string
	Group          string `json:",omitempty"` // of owner and move
	Shard          int    `json:",omitempty"`
	Token          uint64 `json:",omitempty"` // that was read with the owner
	Input, Output  string // what was written, or the member that a shard is moved to; what was read, or what the update left
	Found          bool   // there was a value or a holder, of a get or of an owner
	Begin, End     time.Duration
	Failed         bool // nothing was changed and nothing was read
	OutcomeUnknown bool // it took effect, or will, or never does
}

// Entry is a key of the map with its value.
type Entry = quorum.Entry

// Now returns the time since the machine was booted. All processes of a machine read the same clock.
func Now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // Linux has it since 2.6.39
	}
	return time.Duration(t.Nano())
}
