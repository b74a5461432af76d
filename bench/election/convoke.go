package election

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/goconvoke/convoke/bench/engine"
	"github.com/goconvoke/convoke/bench/fabric"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/quorum"
)

// convokeCluster is nodes of gossip with a quorum each.
type convokeCluster struct {
	net     *fabric.Fabric // nil: sockets of 127.0.0.1
	carry   func(i int) transport.Transport
	dir     string // "": in memory
	voters  int
	expect  int
	nodes   []*gossip.Node
	quorums []*quorum.Quorum
	holds   *holds
	cancel  context.CancelFunc
	ctx     context.Context
	wg      sync.WaitGroup
	ended   map[int]bool
}

func newConvoke(net *fabric.Fabric, voters, expect int) *convokeCluster {
	ctx, cancel := context.WithCancel(context.Background())
	c := &convokeCluster{net: net, voters: voters, expect: expect, holds: newHolds(), ctx: ctx, cancel: cancel, ended: map[int]bool{}}
	if net != nil {
		c.carry = func(i int) transport.Transport { return engine.Transport(net, i) }
	}
	return c
}

// start starts n nodes, each of which joins the first.
func (c *convokeCluster) start(n int) error {
	for i := range n {
		config := gossip.Config{Name: nodeName(i), ClusterID: "bench", Listen: "127.0.0.1:0"}
		if c.net != nil {
			config.Listen, config.Transport = fabric.Addr(i), c.carry(i)
		}
		node, err := gossip.Start(config)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, node)
		if i > 0 {
			c.wg.Go(func() { c.join(node) })
		}
	}
	return nil
}

// join joins the first node, again as long as that fails.
func (c *convokeCluster) join(node *gossip.Node) {
	for c.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
		err := node.Join(ctx, c.nodes[0].Addr())
		cancel()
		if err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// startQuorums starts the quorum of every node.
func (c *convokeCluster) startQuorums() error {
	for i, node := range c.nodes {
		config := quorum.Config{Node: node, Voters: c.voters, Birth: quorum.Expect(c.expect)}
		if c.dir != "" {
			config.DataDir = filepath.Join(c.dir, nodeName(i))
		}
		q, err := quorum.Start(config)
		if err != nil {
			return err
		}
		c.quorums = append(c.quorums, q)
	}
	return nil
}

// work has every node work on a group.
func (c *convokeCluster) work(group string, s quorum.Settings) error {
	for i, q := range c.quorums {
		shards, err := q.Shards(group, s)
		if err != nil {
			return err
		}
		c.holds.groups[group] = append(c.holds.groups[group], shards)
		c.wg.Go(func() {
			_ = shards.Work(c.ctx, func(ctx context.Context, h quorum.Hold) error { // ends with ctx or the quorum
				c.holds.begin(i, h)
				<-ctx.Done()
				c.holds.end(i, h)
				return nil
			})
		})
	}
	return nil
}

// leader returns who leads by what the members that live know, -1 while they differ.
func (c *convokeCluster) leader() int {
	leader := ""
	for i := range c.quorums {
		if c.ended[i] {
			continue
		}
		s := c.status(i)
		if s.Leader == "" || leader != "" && s.Leader != leader {
			return -1
		}
		leader = s.Leader
	}
	i := slices.IndexFunc(c.nodes, func(n *gossip.Node) bool { return n.Name() == leader })
	if i >= 0 && c.ended[i] {
		return -1
	}
	return i
}

func (c *convokeCluster) status(i int) quorum.Status {
	s, _ := c.quorums[i].Status(context.Background()) // "no leader" of one that has ended
	return s
}

// commit writes a key at a member that does not lead and returns how long that takes.
func (c *convokeCluster) commit(at int) (time.Duration, error) {
	begin := time.Now()
	ctx, cancel := bounded()
	defer cancel()
	_, err := c.quorums[at].Map().Set(ctx, "key", fmt.Sprint(rand.Uint64()))
	return time.Since(begin), err
}

// end ends a member whose host the network has taken away.
func (c *convokeCluster) end(i int) {
	c.ended[i] = true
	c.holds.forget(i)
	c.wg.Go(func() { c.quorums[i].Stop(); c.nodes[i].Stop() })
}

func (c *convokeCluster) close() {
	for i, q := range c.quorums {
		if !c.ended[i] {
			q.Stop()
		}
	}
	c.cancel()
	for i, n := range c.nodes {
		if !c.ended[i] {
			n.Stop()
		}
	}
	c.wg.Wait()
}

// formed waits until the quorum has a leader that all know.
func (c *convokeCluster) formed() error {
	return until("a leader", func() bool { return c.leader() >= 0 })
}

func nodeName(i int) string { return fmt.Sprintf("n%03d", i) }
