package agent

import (
	"context"
	"strconv"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/quorum"
)

// statusTimeout bounds the question to the loop of the quorum.
const statusTimeout = 2 * time.Second

// quorumStatus returns what this node knows of the quorum. A quorum that does not run is a problem in it, not an error.
func (n *Node) quorumStatus(ctx context.Context) ops.QuorumStatus {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	doc := ops.QuorumStatus{Member: n.config.Node.Name, Role: "none", Voters: []ops.Voter{}, Sessions: []ops.Session{}, Groups: []ops.Group{}, Moves: []ops.Move{}}
	q, err := n.quorum.current()
	if err == nil {
		var s quorum.Status
		if s, err = q.Status(ctx); err == nil {
			fillQuorum(&doc, s)
		}
	}
	if err != nil {
		doc.Problem, doc.Why = err.Error(), "this node's part in the quorum does not run"
	}
	return doc
}

// fillQuorum translates a status.
func fillQuorum(doc *ops.QuorumStatus, s quorum.Status) {
	doc.Problem, doc.Birth, doc.Conflict, doc.Role, doc.Disk = s.Problem, s.Birth, s.Conflict, s.Role, s.Disk
	doc.Leader, doc.Term, doc.Why, doc.Wanted, doc.Changing = s.Leader, s.Term, s.Why, s.Wanted, s.Changing
	doc.Commit, doc.Applied, doc.Session, doc.Lease, doc.Draining = s.Commit, s.Applied, hexID(s.Session), s.Lease.Seconds(), s.Draining
	if age := s.Age.Seconds(); age >= 0 {
		doc.Age = &age
	}
	for _, v := range s.Voters {
		doc.Voters = append(doc.Voters, ops.Voter{ID: hexID(v.ID), Name: v.Name, Learner: v.Learner, Leaving: v.Leaving, Match: v.Match, Silent: v.Silent.Seconds()})
	}
	here := map[string]int{}
	for _, e := range s.Sessions {
		doc.Sessions = append(doc.Sessions, ops.Session{ID: hexID(e.ID), Member: e.Member, Zone: ops.Text(e.Zone), Draining: e.Draining, Old: e.Old, Holds: e.Holds})
		if e.ID == s.Session && e.ID != 0 {
			here = e.Holds
		}
	}
	for _, g := range s.Groups {
		doc.Groups = append(doc.Groups, ops.Group{Name: g.Name, Level: g.Level.String(), Shards: g.Shards, Copies: g.Copies, Members: g.Members, Vacant: g.Vacant, Here: here[g.Name]})
	}
	for _, m := range s.Moves {
		doc.Moves = append(doc.Moves, ops.Move{Group: m.Group, Shard: m.Shard, From: m.From, Since: m.Since.Seconds()})
	}
}

// hexID writes an ID of 64 bits; "" for none.
func hexID(id uint64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatUint(id, 16)
}

// groupSource has the groups for the API.
type groupSource struct{ node *Node }

func (s groupSource) Groups(ctx context.Context) []ops.Group { return s.node.groupList(ctx) }

func (s groupSource) Shards(group string) ([]ops.Shard, bool) { return s.node.shardList(group) }

// groupList returns the groups of the quorum, those of leaders too, and then those of the file that no member works on.
func (n *Node) groupList(ctx context.Context) []ops.Group {
	all := []ops.Group{}
	known := make(map[string]bool)
	if n.quorum != nil {
		for _, g := range n.quorumStatus(ctx).Groups {
			all, known[g.Name] = append(all, g), true
		}
	}
	for _, g := range n.config.Groups {
		switch {
		case known[g.Name]:
		case g.Level == cluster.LevelPrefer:
			all = append(all, n.preferGroup(g))
		default:
			all = append(all, ops.Group{Name: g.Name, Level: g.Level, Shards: g.Shards, Copies: g.Copies, Vacant: g.Shards})
		}
	}
	return all
}

// preferGroup counts what the view of this node makes of a group of level prefer.
func (n *Node) preferGroup(g cluster.Group) ops.Group {
	doc := ops.Group{Name: g.Name, Level: g.Level, Shards: g.Shards, Copies: 1}
	members := make(map[string]bool)
	for _, s := range n.preferredShards(g) {
		switch s.Holder {
		case "":
			doc.Vacant++
		case n.config.Node.Name:
			doc.Here++
		}
		members[s.Holder] = true
	}
	delete(members, "")
	doc.Members = len(members)
	return doc
}

// preferredShards returns the member that should act on each shard, by one view.
func (n *Node) preferredShards(g cluster.Group) []ops.Shard {
	all := make([]ops.Shard, g.Shards)
	prefer := n.preference(g)
	for i := range all {
		all[i] = ops.Shard{Shard: i, Holder: prefer(i)}
	}
	return all
}

// shardList returns the holders of a group: of the file, or any other one that the quorum has. False if there is no such group.
func (n *Node) shardList(group string) ([]ops.Shard, bool) {
	g, configured := n.config.Group(group)
	if configured && g.Level == cluster.LevelPrefer {
		return n.preferredShards(g), true
	}
	all := []ops.Shard{}
	if q := n.Quorum(); q != nil {
		for o := range q.Assignment(group).All() {
			all = append(all, ops.Shard{Shard: o.Shard, Holder: o.Name, Token: uint64(o.Token), Standbys: o.Standbys})
		}
	}
	if len(all) == 0 && configured { // before any member works on it
		all = make([]ops.Shard, g.Shards)
		for i := range all {
			all[i].Shard = i
		}
	}
	return all, configured || len(all) > 0
}
