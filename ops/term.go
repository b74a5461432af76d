package ops

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
