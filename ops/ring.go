package ops

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"

	"github.com/goconvoke/convoke/gossip"
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

// ringShards returns the holders of the group that a request names, or of the first one.
func (a *API) ringShards(r *request) ([]Shard, error) {
	name := r.query.Get("group")
	if name == "" {
		name = a.config.RingGroup
	}
	if name == "" {
		return nil, problemf(http.StatusNotFound, "the file has no section groups")
	}
	return a.holders(name)
}

// getPartitions answers with the shards that this node holds.
func (a *API) getPartitions(_ context.Context, r *request) (any, error) {
	all, err := a.ringShards(r)
	if err != nil {
		return nil, err
	}
	return heldBy(a.config.Node.Name, all), nil
}

// getRing answers with the members that are up, those before the first leader too, and what each holds.
func (a *API) getRing(ctx context.Context, r *request) (any, error) {
	all, err := a.ringShards(r)
	if err != nil {
		return nil, err
	}
	return a.ringMembers(ctx, all), nil
}

func heldBy(member string, all []Shard) []int {
	held := []int{}
	for _, s := range all {
		if s.Holder == member {
			held = append(held, s.Shard)
		}
	}
	return held
}

func (a *API) ringMembers(ctx context.Context, shards []Shard) []ringMember {
	list := []ringMember{}
	node := a.config.Gossip()
	if node == nil {
		return list
	}
	leader, joined := a.ringOrder(ctx)
	var members []*gossip.Member
	for m := range node.View().All() {
		if m.Up() && m.Name != leader {
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(x, y *gossip.Member) int {
		return cmp.Or(cmp.Compare(joined[x.Name], joined[y.Name]), cmp.Compare(x.Name, y.Name))
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
func (a *API) ringOrder(ctx context.Context) (leader string, joined map[string]int) {
	joined = make(map[string]int)
	if a.config.Quorum == nil {
		return "", joined
	}
	doc := a.config.Quorum.Status(ctx)
	for i, s := range doc.Sessions {
		joined[s.Member] = i - len(doc.Sessions) // those without a session come after
	}
	return doc.Leader, joined
}

func ringMemberOf(m *gossip.Member, shards []Shard) ringMember {
	host, port, err := net.SplitHostPort(m.Addr)
	if err != nil {
		host = m.Addr // what a member publishes may be anything
	}
	number, _ := strconv.Atoi(port) // "" gives 0
	return ringMember{Partitions: heldBy(m.Name, shards), Hostname: host, Port: number}
}
