package agent

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/gossip"
)

// The file's bounds are written in package cluster, which does not import quorum: what one accepts the other must, and what one refuses.
func TestFileAndQuorumHaveTheSameBounds(t *testing.T) {
	agree := func(what string, file, program error) {
		if (file == nil) != (program == nil) {
			t.Errorf("%s: the file's check is %v, that of package quorum %v", what, file, program)
		}
	}
	for _, change := range []func(*cluster.Group){
		func(g *cluster.Group) {}, func(g *cluster.Group) { g.Shards = 65536 }, func(g *cluster.Group) { g.Shards = 65537 }, func(g *cluster.Group) { g.Shards = -1 },
		func(g *cluster.Group) { g.Copies = 7 }, func(g *cluster.Group) { g.Copies = 8 }, func(g *cluster.Group) { g.Copies = -1 },
		func(g *cluster.Group) { g.Weight = 1 << 20 }, func(g *cluster.Group) { g.Weight = 1<<20 + 1 }, func(g *cluster.Group) { g.Weight = -1 },
		func(g *cluster.Group) { g.Handover = time.Millisecond }, func(g *cluster.Group) { g.Handover = time.Millisecond - 1 },
		func(g *cluster.Group) { g.Handover = time.Hour }, func(g *cluster.Group) { g.Handover = time.Hour + 1 },
		func(g *cluster.Group) { g.Return = time.Hour }, func(g *cluster.Group) { g.Return = time.Hour + 1 }, func(g *cluster.Group) { g.Return = -1 },
		func(g *cluster.Group) { g.Moves = 65536 }, func(g *cluster.Group) { g.Moves = 65537 }, func(g *cluster.Group) { g.Moves = -1 },
		func(g *cluster.Group) { g.Level, g.Hash = cluster.LevelFenced, cluster.HashJava },
	} {
		g := cluster.DefaultGroup()
		g.Name, g.Shards = "g", 1
		change(&g)
		s := groupSettings(g)
		agree("group", g.Validate(), s.Validate())
	}
	for _, change := range []func(*cluster.Quorum){
		func(q *cluster.Quorum) {}, func(q *cluster.Quorum) { q.Voters = 1 }, func(q *cluster.Quorum) { q.Voters = 7 }, func(q *cluster.Quorum) { q.Voters = 9 },
		func(q *cluster.Quorum) { q.Voters = 4 }, func(q *cluster.Quorum) { q.Voters = -1 },
		func(q *cluster.Quorum) { q.Lease = time.Second }, func(q *cluster.Quorum) { q.Lease = time.Second - 1 },
		func(q *cluster.Quorum) { q.Lease = time.Minute }, func(q *cluster.Quorum) { q.Lease = time.Minute + 1 },
		func(q *cluster.Quorum) { q.ReplaceAfter = time.Second }, func(q *cluster.Quorum) { q.ReplaceAfter = time.Second - 1 },
		func(q *cluster.Quorum) { q.Eligible = []string{"a*", "x"} }, func(q *cluster.Quorum) { q.Eligible = []string{"["} }, func(q *cluster.Quorum) { q.Eligible = []string{""} },
		func(q *cluster.Quorum) { q.Birth = cluster.Birth{Names: []string{"a", "b"}} }, func(q *cluster.Quorum) { q.Birth = cluster.Birth{Names: []string{"a", "a"}} },
		func(q *cluster.Quorum) { q.Birth = cluster.Birth{Kubernetes: &cluster.KubernetesBirth{}} },
		func(q *cluster.Quorum) { q.Birth.Expect = 255 }, func(q *cluster.Quorum) { q.Birth.Expect = 256 },
		func(q *cluster.Quorum) {
			q.Eligible, q.Birth = []string{"b*"}, cluster.Birth{Names: []string{"a"}}
		},
	} {
		q := cluster.DefaultQuorum()
		q.Birth.Expect = 3
		change(&q)
		c := quorumConfig(&cluster.Config{Quorum: &q}, hclog.NewNullLogger())
		c.Node = &gossip.Node{}
		agree("quorum", q.Validate(), c.Validate())
	}
}
