package agent

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

// ringMember is a member in ring-election's shape: of the leader, which is the last one, without id and priority. Other than there, a leader may
// hold partitions, and the port is a number and the member's own.
type ringMember struct {
	Partitions []int  `json:"partitions"`
	Hostname   string `json:"hostname"`
	Port       int    `json:"port"`
	ID         string `json:"id,omitempty"`
	Priority   int    `json:"priority,omitempty"` // from 1, in the order in which the members came
}

// ringShards returns the holders of the group that a request names, or of the first one of the file.
func (n *Node) ringShards(w http.ResponseWriter, r *http.Request) ([]admin.Shard, bool) {
	name := r.URL.Query().Get("group")
	if name == "" && len(n.config.Groups) > 0 {
		name = n.config.Groups[0].Name
	}
	if name == "" {
		writeError(w, http.StatusNotFound, "the file has no section groups")
		return nil, false
	}
	all, ok := n.shardList(name)
	if !ok {
		writeError(w, http.StatusNotFound, "there is no group %q", name)
	}
	return all, ok
}

// handlePartitions answers with the shards that this node holds.
func (n *Node) handlePartitions(w http.ResponseWriter, r *http.Request) {
	if all, ok := n.ringShards(w, r); ok {
		writeJSON(w, heldBy(n.config.Node.Name, all))
	}
}

// handleRing answers with the members that are up, those before the first leader too, and what each holds.
func (n *Node) handleRing(w http.ResponseWriter, r *http.Request) {
	if all, ok := n.ringShards(w, r); ok {
		writeJSON(w, n.ringMembers(r.Context(), all))
	}
}

func heldBy(member string, all []admin.Shard) []int {
	held := []int{}
	for _, s := range all {
		if s.Holder == member {
			held = append(held, s.Shard)
		}
	}
	return held
}

func (n *Node) ringMembers(ctx context.Context, shards []admin.Shard) []ringMember {
	list := []ringMember{}
	node := n.Gossip()
	if node == nil {
		return list
	}
	leader, joined := n.ringOrder(ctx)
	var members []*gossip.Member
	for m := range node.View().All() {
		if m.Up() && m.Name != leader {
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(a, b *gossip.Member) int {
		return cmp.Or(cmp.Compare(joined[a.Name], joined[b.Name]), cmp.Compare(a.Name, b.Name))
	})
	for i, m := range members {
		one := ringMemberOf(m, shards)
		one.ID, one.Priority = m.Name, i+1
		list = append(list, one)
	}
	if m, ok := node.View().Member(leader); ok && leader != "" {
		list = append(list, ringMemberOf(m, shards))
	}
	return list
}

// ringOrder returns the leader, "" if none is known, and the place of each member in the order in which their sessions began.
func (n *Node) ringOrder(ctx context.Context) (leader string, joined map[string]int) {
	joined = make(map[string]int)
	if n.quorum == nil {
		return "", joined
	}
	doc := n.quorumStatus(ctx)
	for i, s := range doc.Sessions {
		joined[s.Member] = i - len(doc.Sessions) // those without a session come after
	}
	return doc.Leader, joined
}

func ringMemberOf(m *gossip.Member, shards []admin.Shard) ringMember {
	host, port, err := net.SplitHostPort(m.Addr)
	if err != nil {
		host = m.Addr // what a member publishes may be anything
	}
	number, _ := strconv.Atoi(port) // "" gives 0
	return ringMember{Partitions: heldBy(m.Name, shards), Hostname: host, Port: number}
}
