package admin

import "time"

// Member is one member as an agent sees it. Only the gossip core knows more than the name and the address.
type Member struct {
	Name    string  `json:"name"`
	Status  string  `json:"status"`
	Addr    Text    `json:"addr"`
	Links   int     `json:"links"`
	Phi     float64 `json:"phi"`
	Keys    int     `json:"keys"` // how many it publishes
	Zone    Text    `json:"zone,omitzero"`
	Version Text    `json:"version,omitzero"`
	Self    bool    `json:"self,omitzero"`
}

// Pair is a key of a member, or of the shared map.
type Pair struct {
	Member string `json:"member,omitzero"` // "" in the shared map
	Key    Text   `json:"key"`
	Value  Text   `json:"value"`
	Gone   bool   `json:"gone,omitzero"` // withdrawn, deleted or expired
}

// Joined reports how the call of a node went.
type Joined struct {
	Addr  string `json:"addr"`
	Error string `json:"error,omitzero"`
}

// Status reports how a node and its cluster are. What only the gossip core knows is absent with other connectors.
type Status struct {
	Node       string            `json:"node"`
	Cluster    string            `json:"cluster"`
	Connector  string            `json:"connector"`
	DataDir    string            `json:"data_dir,omitzero"`
	Error      string            `json:"error,omitzero"` // why the node does not list its members
	Formed     bool              `json:"formed"`
	Topologies []Topology        `json:"topologies"`
	Members    map[string]int    `json:"members"` // by status
	Isolated   bool              `json:"isolated"`
	Hash       string            `json:"hash,omitzero"`        // of all records, in hex
	Shared     string            `json:"shared_hash,omitzero"` // of the shared map, in hex
	Agreement  *Agreement        `json:"agreement,omitzero"`
	Staleness  time.Duration     `json:"staleness_ns"`
	Counters   map[string]uint64 `json:"counters,omitzero"`
	Quorum     *Quorum           `json:"quorum,omitzero"` // nil without one
	HTTP       string            `json:"http,omitzero"`   // where it is served
}

// Topology reports how one topology is.
type Topology struct {
	Name     string `json:"name"`
	Strategy string `json:"strategy"`
	State    string `json:"state"` // of the strategy
	Formed   bool   `json:"formed"`
	Whole    bool   `json:"whole"`
	Why      string `json:"why"`
}

// Agreement lists who has the same state as a node.
type Agreement struct {
	Same   []string `json:"same"`
	Differ []string `json:"differ"`
	Silent []string `json:"silent"`
}
