package serf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hashicorp/serf/serf"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
)

// guard decides who may come in. serf asks it about each node and about all nodes of a cluster
// before it merges with that; it runs under memberlist's lock, so it calls no other component.
type guard struct {
	self    string // name of this node
	cluster string
	public  netip.AddrPort
	taken   func()
	log     *mlnet.Damper
}

var _ serf.MergeDelegate = (*guard)(nil)

// otherCluster is how the refusal of a merge is recognised in what Join returns, which wraps nothing.
const otherCluster = "is tagged as one of cluster "

// NotifyMerge refuses nodes of another cluster and, when asked about one, a node that could not be listed or
// dial. It looks for our own name too: after a restart at a new address the cluster refuses us until it
// has found our former self dead, and serf would not ask again before its next full exchange.
func (g *guard) NotifyMerge(all []*serf.Member) error {
	for _, m := range all {
		if id, ok := m.Tags[ClusterTag]; ok && id != g.cluster {
			g.log.Warn("a node of another cluster was refused", "member", mlnet.Quote(m.Name), "cluster", mlnet.Quote(id))
			return fmt.Errorf("node %s %s%s", mlnet.Quote(m.Name), otherCluster, mlnet.Quote(id))
		}
		addr, err := mlnet.AddrPort(m.Addr, m.Port)
		if len(all) == 1 && err != nil {
			return err
		}
		if len(all) == 1 && mlnet.CheckName(m.Name) != nil {
			return mlnet.CheckName(m.Name)
		}
		if m.Name == g.self && m.Status != serf.StatusLeft && err == nil && addr != g.public {
			g.log.Warn("the name of this node is taken by another address, asking again", "member", g.self, "addr", addr.String())
			g.taken()
		}
	}
	return nil
}

// foreignError makes the refusal of a merge an ErrForeign.
func (u *underneath) foreignError(err error) error {
	_, text, ok := strings.Cut(err.Error(), otherCluster)
	if !ok {
		return err
	}
	id, _ := strconv.QuotedPrefix(text) // it is ours: quoted, and of bounded length
	return fmt.Errorf("a member %s%s: %w", otherCluster, id, connector.ErrForeign)
}
