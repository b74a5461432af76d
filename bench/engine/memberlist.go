package engine

import (
	"fmt"
	"io"
	"log"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/bench/fabric"
)

// memberlistCluster runs hashicorp/memberlist with DefaultLANConfig.
type memberlistCluster struct {
	net   *fabric.Fabric
	sink  Sink
	nodes []*memberlistNode
	tasks sync.WaitGroup // updates and stops
}

// memberlistNode is one member, and the delegate of its memberlist.
type memberlistNode struct {
	self  int
	sink  Sink
	value atomic.Uint64
	data  *lastWriter
	list  *memberlist.Memberlist
}

func newMemberlist(n int, net *fabric.Fabric, sink Sink) Cluster {
	return &memberlistCluster{net: net, sink: sink, nodes: make([]*memberlistNode, n)}
}

// lanConfig is what memberlist and serf share.
func lanConfig(f *fabric.Fabric, i int) *memberlist.Config {
	config := memberlist.DefaultLANConfig()
	config.Name = nodeName(i)
	config.BindAddr, config.BindPort, config.AdvertisePort = "127.0.0.1", 0, 0
	if f != nil {
		config.Transport = newPacketTransport(f, i)
	}
	config.Logger = silent()
	return config
}

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

func (c *memberlistCluster) Start(i int) error {
	n := &memberlistNode{self: i, sink: c.sink}
	config := lanConfig(c.net, i)
	n.data = newLastWriter(config.RetransmitMult, func() int { return n.list.NumMembers() }, n.tellShared)
	config.Delegate, config.Events = n, n
	list, err := memberlist.Create(config)
	if err != nil {
		return err
	}
	n.list, c.nodes[i] = list, n
	return nil
}

func (c *memberlistCluster) Join(i, seed int) error {
	_, err := c.nodes[i].list.Join([]string{c.nodes[seed].list.LocalNode().Address()})
	return err
}

func (c *memberlistCluster) Stop(i int) { c.tasks.Go(func() { _ = c.nodes[i].list.Shutdown() }) }

// updateTimeout is how long memberlist may take to hand an update to others.
const updateTimeout = 30 * time.Second

func (c *memberlistCluster) Update(i int, value uint64) error {
	n := c.nodes[i]
	n.value.Store(value)
	c.tasks.Go(func() { _ = n.list.UpdateNode(updateTimeout) })
	return nil
}

func (c *memberlistCluster) Share(i int, value uint64) error {
	c.nodes[i].data.set(nodeName(i), fmt.Sprint(value))
	return nil
}

// Fill puts the state into the map of every member: it is too large for broadcasts. Only push/pull carries it from there.
func (c *memberlistCluster) Fill(state []Entry) error {
	for _, n := range c.nodes {
		if n == nil {
			continue
		}
		for _, e := range state {
			n.data.restore(entry{statePrefix + e.Key, e.Value, 1})
		}
	}
	return nil
}

func (c *memberlistCluster) Held(i int) int { return c.nodes[i].data.size(statePrefix) }

// straggle is how long goroutines of memberlist may go on after Shutdown, which does not wait for them: they end when
// their probes, dials and time-outs do.
const straggle = time.Minute

func (c *memberlistCluster) Close() {
	for _, n := range c.nodes {
		if n != nil {
			c.tasks.Go(func() { _ = n.list.Shutdown() }) // again is no harm
		}
	}
	c.tasks.Wait()
	if c.net != nil {
		time.Sleep(straggle)
	}
}

// NodeMeta returns the value that this member publishes.
func (n *memberlistNode) NodeMeta(int) []byte { return strconv.AppendUint(nil, n.value.Load(), 10) }

// NotifyMsg and MergeRemoteState take user data: a broadcast, or all that another member has. Only ours arrive, and whole.
func (n *memberlistNode) NotifyMsg(b []byte)                { _ = n.data.mergeEntries(b) }
func (n *memberlistNode) MergeRemoteState(b []byte, _ bool) { _ = n.data.mergeEntries(b) }

// LocalState returns all user data of this member.
func (n *memberlistNode) LocalState(bool) []byte { return n.data.encodeState() }

// GetBroadcasts returns the user data that goes with the next datagram.
func (n *memberlistNode) GetBroadcasts(overhead, limit int) [][]byte {
	return n.data.broadcasts.GetBroadcasts(overhead, limit)
}

// NotifyJoin, NotifyLeave and NotifyUpdate are called by memberlist about other members.
func (n *memberlistNode) NotifyJoin(m *memberlist.Node)   { n.emit(m, Alive) }
func (n *memberlistNode) NotifyLeave(m *memberlist.Node)  { n.emit(m, Gone) }
func (n *memberlistNode) NotifyUpdate(m *memberlist.Node) { n.emit(m, Updated) }

func (n *memberlistNode) emit(m *memberlist.Node, kind Kind) {
	value, _ := strconv.ParseUint(string(m.Meta), 10, 64) // 0 without
	n.sink(Event{n.self, nodeIndex(m.Name), kind, value})
}

func (n *memberlistNode) tellShared(e entry) {
	if strings.HasPrefix(e.key, statePrefix) {
		return
	}
	value, _ := strconv.ParseUint(e.value, 10, 64) // 0 without
	n.sink(Event{n.self, nodeIndex(e.key), Shared, value})
}
