package ops

import "context"

// Quorum is the part of a node in the quorum of its cluster, as the API needs it. Errors carry their status: see [WithStatus].
type Quorum interface {
	// Status returns what the node knows. A part that does not run is a problem in it.
	Status(ctx context.Context) QuorumStatus
	// Transfer returns when another voter leads, the one of this name if it is not "".
	Transfer(ctx context.Context, to string) error
	// Recover begins a new quorum with what this node has, when most voters are lost.
	Recover(ctx context.Context, force bool) error
	// Place decides where shards are held.
	Place(ctx context.Context, p Placement) error
	// Elect stands for election under a name for one term, and reports its steps until that is over or ctx ends.
	Elect(ctx context.Context, name string, report func(Term) error) error
	// Map returns the linearizable map, or why there is none.
	Map() (Map, error)
}

// Map is the linearizable map as the API needs it.
type Map interface {
	Get(ctx context.Context, key string) (value string, ok bool, err error)
	// Update writes what fn makes of the value that the key has. With session the key ends with the session of this node.
	Update(ctx context.Context, key string, session bool, fn func(old string, ok bool) (string, error)) error
	Set(ctx context.Context, key, value string, session bool) error
	Delete(ctx context.Context, key string) error
	// Watch reports the keys with a prefix and then what changes, until ctx ends. It returns why it ended before.
	Watch(ctx context.Context, prefix string, report func(Pair) error) error
}

// Shards has the groups of shards, those of the file and those of leaders.
type Shards interface {
	Groups(ctx context.Context) []Group
	// Shards returns the holders of a group; false if there is no such group.
	Shards(group string) ([]Shard, bool)
}

// Placement is a decision of an operator about a group.
type Placement struct {
	Verb   string // one of the constants below
	Group  string
	Shard  int    // of a move and a pin
	Member string // "": of a drain this node, of a pin none
}

// The verbs of a [Placement].
const (
	PlaceDrain   = "drain"   // the member holds no shard of the group from now on
	PlaceInclude = "include" // and may hold some again
	PlaceMove    = "move"    // the member holds the shard now
	PlacePin     = "pin"     // the shard is fixed to the member; to none: it is no longer fixed
)

// QuorumStatus is the part of a node in the quorum of its cluster. Times count back from the answer.
type QuorumStatus struct {
	Member   string    `json:"member"`
	Problem  string    `json:"problem,omitzero"` // why this node's part does not run
	Birth    string    `json:"birth,omitzero"`
	Conflict string    `json:"conflict,omitzero"` // members of other births, or what the arbiter has instead of this one
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
	Old      bool           `json:"old,omitzero"` // the member has a later session: this one ends with its lease
	Holds    map[string]int `json:"holds"`        // shards, by group
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
