// Package gossiptest runs real nodes of package gossip in memory, for the tests of programs that are built on them: hosts that crash,
// freeze and come back, networks that are slow, lose what is sent, or are cut in two.
//
// Everything runs inside a bubble of testing/synctest, so minutes of the cluster pass in milliseconds and time stands still while a
// test looks:
//
//	synctest.Test(t, func(t *testing.T) {
//		c := gossiptest.New(t)
//		nodes := c.Start("a", "b", "c")
//		c.Partition([]string{"a"}, []string{"b", "c"})
//		c.WaitUp("b", "b", "c") // b sees b and c
//		c.Heal()
//		c.WaitUp("a", "a", "b", "c")
//	})
package gossiptest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/internal/testhook"
	"github.com/goconvoke/convoke/gossip/transport"
)

// waitTimeout is how long the cluster is waited for, in the time of the bubble.
const waitTimeout = 2 * time.Minute

// Cluster is a cluster of nodes on a network in memory. Each node is a host of its own, with its name. Its methods belong to the
// goroutine of the test; a wait that lasts for more than two minutes of the bubble's time fails the test.
type Cluster struct {
	t     testing.TB
	net   *transport.Memory
	hosts map[string]*host
	order []string // names of hosts, as they were started
	cut   map[direction]bool
}

// direction is one direction between two hosts.
type direction struct{ from, to string }

// host is a node, or the place of one that has crashed.
type host struct {
	config gossip.Config
	node   *gossip.Node // the last one
	up     bool
}

// New returns a cluster without nodes. It must be called inside a bubble of testing/synctest; all nodes end with the test.
func New(t testing.TB) *Cluster {
	c := &Cluster{t: t, net: transport.NewMemory(), hosts: map[string]*host{}, cut: map[direction]bool{}}
	t.Cleanup(func() {
		for _, name := range c.order {
			c.hosts[name].node.Stop()
		}
	})
	return c
}

// Start starts nodes of these names, has them join the first node of the cluster, and returns when all that run see each other up.
func (c *Cluster) Start(names ...string) []*gossip.Node {
	c.t.Helper()
	var nodes []*gossip.Node
	for _, name := range names {
		nodes = append(nodes, c.StartNode(gossip.Config{Name: name}))
	}
	c.WaitTogether()
	return nodes
}

// StartNode starts one node, has it join a node that runs, and returns. Of the configuration Name is required; ClusterID, Listen and
// Transport are filled in.
func (c *Cluster) StartNode(config gossip.Config) *gossip.Node {
	c.t.Helper()
	if c.hosts[config.Name] != nil {
		c.t.Fatalf("gossiptest: a node %q was started before: Restart it", config.Name)
	}
	config.ClusterID, config.Listen, config.Transport = "gossiptest", config.Name+":7946", c.net.Host(config.Name)
	c.hosts[config.Name] = &host{config: config}
	c.order = append(c.order, config.Name)
	return c.startNode(config.Name)
}

func (c *Cluster) startNode(name string) *gossip.Node {
	c.t.Helper()
	h := c.hosts[name]
	n, err := gossip.Start(h.config)
	if err != nil {
		c.t.Fatalf("gossiptest: start %q: %v", name, err)
	}
	h.node, h.up = n, true
	for _, other := range c.order {
		if o := c.hosts[other]; other != name && o.up && c.bothWaysOpen(name, other) {
			ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
			defer cancel()
			if err := n.Join(ctx, o.config.Listen); err != nil {
				c.t.Logf("gossiptest: %q joins %q: %v; it tries again", name, other, err)
			}
			break
		}
	}
	return n
}

// Node returns the node of a name: the last one, if it was restarted.
func (c *Cluster) Node(name string) *gossip.Node { return c.hostNamed(name).node }

func (c *Cluster) hostNamed(name string) *host {
	c.t.Helper()
	h := c.hosts[name]
	if h == nil {
		c.t.Fatalf("gossiptest: no node %q was started", name)
	}
	return h
}

// Crash ends the process of a node, which announces nothing; its host closes the connections, so the others see it at once. For a host that
// vanishes, Cut it off first.
func (c *Cluster) Crash(name string) {
	c.t.Helper()
	h := c.hostNamed(name)
	h.up = false
	h.node.Stop()
}

// Leave has a node leave the cluster in good order, and end.
func (c *Cluster) Leave(name string) {
	c.t.Helper()
	h := c.hostNamed(name)
	h.up = false
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	if err := h.node.Leave(ctx); err != nil {
		c.t.Errorf("gossiptest: %q leaves: %v", name, err)
	}
}

// Restart starts a node again that has crashed or left, with the configuration that it had: with DataDir it has its state, without it
// nothing.
func (c *Cluster) Restart(name string) *gossip.Node {
	c.t.Helper()
	h := c.hostNamed(name)
	if h.up {
		c.Crash(name)
	}
	return c.startNode(name)
}

// Freeze stops the process of a node for some time, as SIGSTOP, a paused virtual machine or a long garbage collection does: its
// connections stay open, and nothing is sent or taken in. It returns at once.
func (c *Cluster) Freeze(name string, d time.Duration) {
	c.t.Helper()
	if err := testhook.Freeze(c.hostNamed(name).node, d); err != nil {
		c.t.Errorf("gossiptest: freeze %q: %v", name, err)
	}
}

// WaitTogether waits until all nodes that run see exactly each other up.
func (c *Cluster) WaitTogether() {
	c.t.Helper()
	var all []string
	for _, name := range c.order {
		if c.hosts[name].up {
			all = append(all, name)
		}
	}
	for _, name := range all {
		c.WaitUp(name, all...)
	}
}

// WaitUp waits until a node sees exactly these members up, itself included.
func (c *Cluster) WaitUp(name string, members ...string) {
	c.t.Helper()
	want := strings.Join(slices.Sorted(slices.Values(members)), " ")
	n := c.Node(name)
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	last := ""
	for change := range n.Watch(ctx) {
		if last = upIn(change.View); last == want {
			return
		}
	}
	c.t.Fatalf("gossiptest: %q sees %q up after %v, want %q", name, last, waitTimeout, want)
}

// Wait waits until a condition holds; what describes it for the error. It looks every 10 ms of the bubble's time.
func (c *Cluster) Wait(what string, condition func() bool) {
	c.t.Helper()
	for end := time.Now().Add(waitTimeout); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("gossiptest: not after %v: %s", waitTimeout, what)
		}
	}
}

// upIn returns the names of the members that are up in a view.
func upIn(v *gossip.View) string {
	var names []string
	for m := range v.All() {
		if m.Up() {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, " ")
}

// String names the nodes and what each sees, for messages of tests.
func (c *Cluster) String() string {
	var b strings.Builder
	for _, name := range c.order {
		if h := c.hosts[name]; h.up {
			fmt.Fprintf(&b, "%s sees %s; ", name, upIn(h.node.View()))
		} else {
			fmt.Fprintf(&b, "%s is down; ", name)
		}
	}
	return strings.TrimSuffix(b.String(), "; ")
}
