package engine

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/serf/serf"

	"github.com/goconvoke/convoke/bench/fabric"
)

// serfCluster runs hashicorp/serf with its default configuration, over memberlist's for a LAN.
type serfCluster struct {
	net   *fabric.Fabric
	sink  Sink
	nodes []*serf.Serf
	stop  chan struct{}
	tasks sync.WaitGroup // readers of events, updates and stops
}

func newSerf(n int, net *fabric.Fabric, sink Sink) Cluster {
	return &serfCluster{net: net, sink: sink, nodes: make([]*serf.Serf, n), stop: make(chan struct{})}
}

// serfEvents is how many events may wait; serf would wait for its reader if there were more.
const serfEvents = 1024

func (c *serfCluster) Start(i int) error {
	config := serf.DefaultConfig()
	config.Init()
	config.NodeName = nodeName(i)
	config.Tags[key] = "0"
	config.Logger = silent()
	config.MemberlistConfig = lanConfig(c.net, i)
	events := make(chan serf.Event, serfEvents)
	config.EventCh = events
	c.tasks.Go(func() { c.read(i, events) })
	n, err := serf.Create(config)
	if err != nil {
		return err
	}
	c.nodes[i] = n
	return nil
}

// serfKinds are the events about members that are of interest.
var serfKinds = map[serf.EventType]Kind{
	serf.EventMemberJoin: Alive, serf.EventMemberUpdate: Updated,
	serf.EventMemberFailed: Gone, serf.EventMemberLeave: Gone,
}

// read reports events until the cluster is closed.
func (c *serfCluster) read(i int, events <-chan serf.Event) {
	for {
		select {
		case e := <-events:
			c.report(i, e)
		case <-c.stop:
			return
		}
	}
}

func (c *serfCluster) report(i int, e serf.Event) {
	switch e := e.(type) {
	case serf.UserEvent:
		value, _ := strconv.ParseUint(string(e.Payload), 10, 64)
		c.sink(Event{i, nodeIndex(e.Name), Shared, value})
	case serf.MemberEvent:
		kind, ok := serfKinds[e.Type]
		if !ok {
			return
		}
		for _, m := range e.Members {
			value, _ := strconv.ParseUint(m.Tags[key], 10, 64) // 0 without
			c.sink(Event{i, nodeIndex(m.Name), kind, value})
		}
	}
}

func (c *serfCluster) Join(i, seed int) error {
	m := c.nodes[seed].LocalMember()
	_, err := c.nodes[i].Join([]string{net.JoinHostPort(m.Addr.String(), fmt.Sprint(m.Port))}, false)
	return err
}

func (c *serfCluster) Stop(i int) { c.tasks.Go(func() { _ = c.nodes[i].Shutdown() }) }

func (c *serfCluster) Update(i int, value uint64) error {
	c.tasks.Go(func() { _ = c.nodes[i].SetTags(map[string]string{key: fmt.Sprint(value)}) })
	return nil
}

// Share sends an event of the member's name. Events are delivered one by one: serf would only keep the last of a name if they
// were to be coalesced.
func (c *serfCluster) Share(i int, value uint64) error {
	return c.nodes[i].UserEvent(nodeName(i), strconv.AppendUint(nil, value, 10), false)
}

func (c *serfCluster) Close() {
	var stops sync.WaitGroup
	for _, n := range c.nodes {
		if n != nil {
			stops.Go(func() { _ = n.Shutdown() }) // again is no harm
		}
	}
	stops.Wait()
	if c.net != nil {
		time.Sleep(straggle)
	}
	close(c.stop)
	c.tasks.Wait()
}
