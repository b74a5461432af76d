package admin

// Quorum reports the part of a node in the quorum of its cluster. Times are seconds, counted back from the answer; numbers of 64 bits are
// hexadecimal text.
type Quorum struct {
	Member   string    `json:"member"`
	Problem  string    `json:"problem,omitzero"` // why this node's part does not run
	Birth    string    `json:"birth,omitzero"`
	Conflict string    `json:"conflict,omitzero"` // other births that were met
	Role     string    `json:"role"`              // in the log: none, learner, voter, leader
	Disk     bool      `json:"disk"`              // whether the log is kept on one
	Leader   string    `json:"leader"`            // "" if none is known
	Term     uint64    `json:"term"`
	Why      string    `json:"why,omitzero"` // there is no leader
	Wanted   int       `json:"voters_wanted"`
	Voters   []Voter   `json:"voters"`
	Changing bool      `json:"changing,omitzero"` // a voter is being replaced
	Commit   uint64    `json:"commit"`
	Applied  uint64    `json:"applied"`
	Session  string    `json:"session,omitzero"`
	Lease    float64   `json:"lease_seconds"` // for how long this node may act without another answer of the leader
	Age      *float64  `json:"age_seconds"`   // since the leader last sent something; null: never
	Draining bool      `json:"draining,omitzero"`
	Sessions []Session `json:"sessions"`
	Groups   []Group   `json:"groups"`
	Moves    []Move    `json:"moves"` // that the leader knows of
}

// Voter is a member that keeps the log.
type Voter struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Learner bool    `json:"learner,omitzero"`
	Leaving bool    `json:"leaving,omitzero"`
	Match   uint64  `json:"match,omitzero"`          // known to the leader alone
	Silent  float64 `json:"silent_seconds,omitzero"` // known to the leader alone
}

// Session is the right of one process to hold shards.
type Session struct {
	ID       string         `json:"id"`
	Member   string         `json:"member"`
	Zone     Text           `json:"zone,omitzero"`
	Draining bool           `json:"draining,omitzero"`
	Holds    map[string]int `json:"holds"` // shards, by group
}

// Group is a number of shards that members share.
type Group struct {
	Name    string `json:"name"`
	Level   string `json:"level"` // exclusive, fenced, prefer
	Shards  int    `json:"shards"`
	Copies  int    `json:"copies"`
	Members int    `json:"members"` // that take part
	Vacant  int    `json:"vacant"`  // shards without a holder
	Here    int    `json:"here"`    // shards that this node holds
}

// Move is a shard that its holder was asked to give up.
type Move struct {
	Group string  `json:"group"`
	Shard int     `json:"shard"`
	From  string  `json:"from"`
	Since float64 `json:"since_seconds"`
}

// Shard is who holds a shard.
type Shard struct {
	Shard    int      `json:"shard"`
	Holder   string   `json:"holder"`                // "" if no member holds it
	Token    uint64   `json:"token,string,omitzero"` // of the last grant
	Standbys []string `json:"standbys,omitzero"`
}

// Term is one step of an election: a term of this process as the leader begins, goes on, or ends.
type Term struct {
	Event string `json:"event"` // one of the constants below
	Shard int    `json:"shard"`
	Token uint64 `json:"token,string"`
	// Left is for how long the process may still act if no other step comes, in ns. A reader that gets the step late takes
	// the time since At off.
	Left int64 `json:"left_ns"`
	// Margin is how long before that end the process should stop, in ns.
	Margin int64  `json:"margin_ns"`
	At     int64  `json:"at_ns"`           // since 1970, by the clock of this host
	Why    string `json:"reason,omitzero"` // of an end
}

// The events of a [Term].
const (
	TermBegins = "begins" // the process leads
	TermGoesOn = "goes on"
	TermEnds   = "ends" // the process must stop; the next leader waits for it until Left is over
)
