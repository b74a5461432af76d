package election

import (
	"context"
	"errors"
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

var errNotHeld = errors.New("shards are not held in time")

// holds is who works on which shard.
type holds struct {
	groups map[string][]*quorum.Shards

	mu      sync.Mutex
	changed *sync.Cond
	late    bool
	now     map[shardOf]int           // the member
	ends    map[shardOf]time.Time     // of the last that ended
	gaps    map[shardOf]time.Duration // between the last two holders
	lost    int                       // calls that ended
	begun   int
	gone    map[int]bool
}

type shardOf struct {
	group string
	shard int
}

func newHolds() *holds {
	h := &holds{groups: map[string][]*quorum.Shards{}, now: map[shardOf]int{}, ends: map[shardOf]time.Time{}, gaps: map[shardOf]time.Duration{}, gone: map[int]bool{}}
	h.changed = sync.NewCond(&h.mu)
	return h
}

func (h *holds) begin(member int, hold quorum.Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone[member] {
		return
	}
	k := shardOf{hold.Group, hold.Shard}
	h.now[k] = member
	h.gaps[k] = time.Since(h.ends[k])
	h.begun++
	h.changed.Broadcast()
}

func (h *holds) end(member int, hold quorum.Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := shardOf{hold.Group, hold.Shard}
	if h.gone[member] || h.now[k] != member {
		return
	}
	delete(h.now, k)
	h.ends[k] = time.Now()
	h.lost++
}

// forget takes a member for dead: what it held has no holder.
func (h *holds) forget(member int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone[member] = true
	for k, m := range h.now {
		if m == member {
			delete(h.now, k)
		}
	}
}

// await waits until all shards of a group are held.
func (h *holds) await(group string, shards int) error {
	timer := time.AfterFunc(within, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.late = true
		h.changed.Broadcast()
	})
	defer timer.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.held(group) < shards {
		if h.late {
			return fmt.Errorf("%w: %d of %d in %s", errNotHeld, h.held(group), shards, group)
		}
		h.changed.Wait()
	}
	return nil
}

// awaitBegun waits until so many calls have begun.
func (h *holds) awaitBegun(n int) error {
	return until("calls", func() bool { return h.begunCalls() >= n })
}

func (h *holds) begunCalls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begun
}

func (h *holds) held(group string) (n int) {
	for k := range h.now {
		if k.group == group {
			n++
		}
	}
	return n
}

// of returns who holds a shard, -1 if nobody does.
func (h *holds) of(group string, shard int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m, ok := h.now[shardOf{group, shard}]; ok {
		return m
	}
	return -1
}

// ended returns how many calls of members that live have ended.
func (h *holds) ended() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

// gap returns how long a shard was without a holder the last time.
func (h *holds) gap(group string, shard int) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gaps[shardOf{group, shard}]
}
