package agent

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/quorum"
	"github.com/goconvoke/convoke/quorum/kubernetes"
)

// quorumConfig translates the section quorum of a file. The node is filled in when it listens.
func quorumConfig(c *cluster.Config, log hclog.Logger) quorum.Config {
	q := c.Quorum
	return quorum.Config{
		DataDir: c.Node.DataDir, Voters: q.Voters, Eligible: q.Eligible, Birth: birthOf(c), Lease: q.Lease, ReplaceAfter: q.ReplaceAfter,
		Log: log,
	}
}

// birthOf translates the birth of a file.
func birthOf(c *cluster.Config) quorum.Birth {
	b := c.Quorum.Birth
	switch k := b.Kubernetes; {
	case k != nil:
		return quorum.Arbitrated(kubernetes.New(kubernetes.Config{
			Cluster: c.Node.Cluster, Namespace: k.Namespace, Lease: k.Lease, API: k.API, ServiceAccount: k.ServiceAccount,
		}))
	case len(b.Names) > 0:
		return quorum.Founders(b.Names...)
	}
	return quorum.Expect(b.Expect)
}

// groupSettings translates an entry of the section groups, of any level but prefer.
func groupSettings(g cluster.Group) quorum.Settings {
	s := quorum.Settings{Count: g.Shards, Copies: g.Copies, Weight: g.Weight, Handover: g.Handover, Return: g.Return, Moves: g.Moves, Level: quorum.Exclusive, Hash: quorum.FNV}
	if g.Level == cluster.LevelFenced {
		s.Level = quorum.Fenced
	}
	if g.Hash == cluster.HashJava {
		s.Hash = quorum.Java
	}
	return s
}

// shardOf returns the shard of a key, by the hash of its group.
func shardOf(g cluster.Group, key string) int {
	if g.Hash == cluster.HashJava {
		return quorum.OfJava(key, g.Shards)
	}
	return quorum.Of(key, g.Shards)
}

// errNoGroup reports a group that the file does not have.
func errNoGroup(name string) error {
	return fmt.Errorf("the file has no group %q: add it to groups", name)
}

var errPrefers = errors.New("a group of level prefer has no holders: Node.Prefer returns the member that should act")
