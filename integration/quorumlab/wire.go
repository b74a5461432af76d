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
	Kind  string // "hello", "begin", "act", "end", "call" or "reply"
	At    time.Duration
	Group string          `json:",omitempty"`
	Shard int             `json:",omitempty"`
	Token uint64          `json:",omitempty"`
	Call  *Call           `json:",omitempty"`
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
	Member  string        // for junk: whom it is sent to
	Clients int           // for clients: how many
	For     time.Duration // for clients: how long
}

// Call is one operation on the map with its outcome, by the clock of [Now].
type Call struct {
	Client         string
	Op             string // "get", "set", "delete" or "append"
	Key            string
	Input, Output  string // what was written; what was read, or what the update left
	Found          bool   // there was a value, of a get
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
