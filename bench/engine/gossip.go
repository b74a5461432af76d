package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/bench/fabric"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/transport"
)

// gossipCluster runs gossip.Node as a program would: with its wire format, its goroutines and its default settings.
type gossipCluster struct {
	net   *fabric.Fabric
	sink  Sink
	nodes []*gossip.Node
	tasks sync.WaitGroup // watchers and stops
}

func newGossip(n int, net *fabric.Fabric, sink Sink) Cluster {
	return &gossipCluster{net: net, sink: sink, nodes: make([]*gossip.Node, n)}
}

func (c *gossipCluster) Start(i int) error {
	config := gossip.Config{Name: nodeName(i), ClusterID: "bench", Listen: "127.0.0.1:0", Tuning: gossipTuning()}
	if c.net != nil {
		config.Listen, config.Transport = fabric.Addr(i), gossipTransport{c.net, i}
	}
	n, err := gossip.Start(config)
	if err != nil {
		return err
	}
	c.nodes[i] = n
	c.tasks.Go(func() {
		for change := range n.Watch(context.Background()) {
			c.report(i, change)
		}
	})
	c.tasks.Go(func() {
		for change := range n.Shared().Watch(context.Background(), nodePrefix) {
			value, _ := strconv.ParseUint(change.Value, 10, 64) // 0 without
			c.sink(Event{i, nodeIndex(change.Key), Shared, value})
		}
	})
	return nil
}

// gossipTuning is the default with more room for the state of Fill. No other data comes near the limits.
func gossipTuning() *gossip.Tuning {
	t := gossip.DefaultTuning()
	t.Limits.Shared, t.Limits.Record = 64<<20, 64<<20
	return &t
}

func (c *gossipCluster) report(i int, change gossip.Change) {
	emit := func(members []*gossip.Member, kind Kind) {
		for _, m := range members {
			number, _ := m.Get(key)
			value, _ := strconv.ParseUint(number, 10, 64) // 0 without the key
			c.sink(Event{i, nodeIndex(m.Name), kind, value})
		}
	}
	emit(change.Joined, Alive)
	emit(change.Updated, Updated)
	emit(change.Lost, Gone)
}

func (c *gossipCluster) Join(i, seed int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.nodes[i].Join(ctx, c.nodes[seed].Addr())
}

func (c *gossipCluster) Stop(i int) { c.tasks.Go(c.nodes[i].Stop) }

func (c *gossipCluster) Update(i int, value uint64) error {
	return c.nodes[i].Set(context.Background(), key, fmt.Sprint(value))
}

// setTimeout is how long a node may take to enter a value in its own map.
const setTimeout = 10 * time.Second

func (c *gossipCluster) Share(i int, value uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), setTimeout)
	defer cancel()
	return c.nodes[i].Shared().Set(ctx, nodeName(i), fmt.Sprint(value))
}

// fillRate is how fast members write the state of Fill, in bytes a second: slow enough that writers do not outrun their links.
const fillRate = 5e6

// Fill has the writers write, one after the other, own entries as keys of their own and the others into the shared map.
func (c *gossipCluster) Fill(state []Entry) error {
	for _, e := range state {
		n := c.nodes[e.Writer]
		write := func() error {
			ctx, cancel := context.WithTimeout(context.Background(), setTimeout)
			defer cancel()
			return n.Shared().Set(ctx, statePrefix+e.Key, e.Value)
		}
		if e.Own {
			write = func() error { return n.Set(context.Background(), statePrefix+e.Key, e.Value) }
		}
		if err := write(); err != nil {
			return err
		}
		time.Sleep(time.Duration(float64(len(e.Value)) / fillRate * float64(time.Second)))
	}
	return nil
}

// Held counts the values of the shared map and of the keys of all members.
func (c *gossipCluster) Held(i int) int {
	bytes, n := 0, c.nodes[i]
	for _, value := range n.Shared().All(statePrefix) {
		bytes += len(value)
	}
	for m := range n.View().All() {
		for key, value := range m.KeysFrom(statePrefix) {
			if strings.HasPrefix(key, statePrefix) {
				bytes += len(value)
			}
		}
	}
	return bytes
}

func (c *gossipCluster) Close() {
	for _, n := range c.nodes {
		if n != nil {
			c.tasks.Go(n.Stop)
		}
	}
	c.tasks.Wait()
}

// Transport returns a transport that carries the streams of one member over the fabric.
func Transport(net *fabric.Fabric, member int) transport.Transport {
	return gossipTransport{net, member}
}

// gossipTransport carries a node's streams over the fabric.
type gossipTransport struct {
	net  *fabric.Fabric
	self int
}

// gossipConn is a stream of members that need to prove nothing.
type gossipConn struct{ net.Conn }

func (gossipConn) Proves(string) bool { return true }

func (t gossipTransport) Listen(string) (net.Listener, error) { return t.net.Listen(t.self), nil }

func (t gossipTransport) Secure(_ context.Context, raw net.Conn) (transport.Conn, error) {
	return gossipConn{raw}, nil
}

func (t gossipTransport) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	to, err := t.net.Index(addr)
	if err != nil {
		return nil, err
	}
	conn, err := t.net.Dial(ctx, t.self, to)
	if errors.Is(err, fabric.ErrRefused) {
		return nil, fmt.Errorf("dial %s: %w", addr, transport.ErrRefused)
	}
	if err != nil {
		return nil, err
	}
	return gossipConn{conn}, nil
}
