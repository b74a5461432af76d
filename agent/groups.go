package agent

import (
	"fmt"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum"
)

// Quorum returns the quorum of the cluster: leaders, shards, the linearizable map. It is nil without a section quorum in the file, and until
// the node listens; it is not nil any longer once Formed has returned nil. There may be no leader yet: see its Status. When the node is
// replaced, as after a restart of its connector, so is the quorum; the methods of the one before return [quorum.ErrStopped].
//
// [Node.Stop] leaves the quorum before the cluster: functions that run for shards get ErrRevoked and a third of Options.StopTimeout to return.
func (n *Node) Quorum() *quorum.Quorum {
	q, _ := n.quorum.current()
	return q
}

// Shards returns a group of the file, with its settings. It returns the same value until the quorum is replaced. It fails while the quorum is
// not open, for a group of level prefer, for a name that the file does not have, and with [quorum.ErrCount] for a group that exists with
// other settings.
func (n *Node) Shards(group string) (*quorum.Shards, error) {
	g, ok := n.config.Group(group)
	switch {
	case !ok:
		return nil, errNoGroup(group)
	case g.Level == cluster.LevelPrefer:
		return nil, fmt.Errorf("group %q: %w", group, errPrefers)
	}
	return n.quorum.group(g)
}

// Prefer returns the name of the member that should act on a key of a group of level prefer, by this node's view, and the shard of the key. Two
// nodes with different views may prefer different members. The name is "" while the node does not listen.
func (n *Node) Prefer(group, key string) (member string, shard int, err error) {
	g, ok := n.config.Group(group)
	switch {
	case !ok:
		return "", 0, errNoGroup(group)
	case g.Level != cluster.LevelPrefer:
		return "", 0, fmt.Errorf("group %q has the level %s: use Node.Shards", group, g.Level)
	}
	shard = shardOf(g, key)
	return n.preference(g)(shard), shard, nil
}

// preference returns the function that names the member which should act on a shard, by the view of now: as quorum.Prefer for each shard.
func (n *Node) preference(g cluster.Group) func(shard int) string {
	node := n.Gossip()
	if node == nil {
		return func(int) string { return "" }
	}
	ring := gossip.NewRing(node.View(), gossip.RingConfig{})
	return func(shard int) string {
		if m := ring.Owner(fmt.Sprintf("%s/%d", g.Name, shard)); m != nil {
			return m.Name
		}
		return ""
	}
}
