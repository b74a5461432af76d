package election

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/goconvoke/convoke/bench/engine"
	"github.com/goconvoke/convoke/bench/fabric"
	"github.com/goconvoke/convoke/bench/scenario"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/quorum"
)

const (
	idleMembers = 256
	idleShards  = 1024
	idleFor     = 30 * time.Second // it is measured, after as long
)

// meter is a transport that counts what its member writes.
type meter struct {
	transport.Transport
	bytes *atomic.Int64
}

type meteredConn struct {
	transport.Conn
	bytes *atomic.Int64
}

func (c meteredConn) Write(b []byte) (int, error) {
	c.bytes.Add(int64(len(b)))
	return c.Conn.Write(b)
}

func (m meter) Secure(ctx context.Context, raw net.Conn) (transport.Conn, error) {
	c, err := m.Transport.Secure(ctx, raw)
	if err != nil {
		return nil, err
	}
	return meteredConn{c, m.bytes}, nil
}

func (m meter) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	c, err := m.Transport.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return meteredConn{c, m.bytes}, nil
}

// convokeIdle measures what idle members send with a quorum, above what they send without one.
func convokeIdle() ([]Row, error) {
	without, _, err := idleBytes(false)
	if err != nil {
		return nil, err
	}
	with, roles, err := idleBytes(true)
	if err != nil {
		return nil, err
	}
	base := 0.0
	for _, b := range without {
		base += b / float64(len(without))
	}
	byRole := map[string][]float64{}
	for i, b := range with {
		byRole[roles[i]] = append(byRole[roles[i]], b-base)
	}
	row := func(what, role, goal string) Row {
		return Row{Measure: "idle, 256 members, 1,024 shards: sent by " + what, Contender: convoke, Goal: goal, Unit: scenario.BytesPerSecond, Samples: byRole[role]}
	}
	return []Row{row("the leader", "leader", "80 KB/s"), row("another voter", "voter", "5 KB/s"), row("a member", "none", "300 B/s"),
		{Measure: "idle, 256 members: sent by a member of gossip alone", Contender: convoke, Unit: scenario.BytesPerSecond, Samples: without}}, nil
}

// idleBytes returns the payload that each member sends in a second, and its role.
func idleBytes(withQuorum bool) (sent []float64, roles []string, err error) {
	f := fabric.New(idleMembers, rand.Uint64())
	c := newConvoke(f, 3, idleMembers-1) // the most that a birth may expect
	defer func() { f.Close(); c.close() }()
	counts := make([]atomic.Int64, idleMembers)
	c.carry = func(i int) transport.Transport { return meter{engine.Transport(f, i), &counts[i]} }
	if err := c.start(idleMembers); err != nil {
		return nil, nil, err
	}
	if withQuorum {
		if err := errors.Join(c.startQuorums(), c.work("idle", quorum.Settings{Count: idleShards})); err != nil {
			return nil, nil, err
		}
		if err := c.holds.await("idle", idleShards); err != nil {
			return nil, nil, err
		}
	}
	time.Sleep(idleFor)
	before := make([]int64, idleMembers)
	for i := range counts {
		before[i] = counts[i].Load()
	}
	time.Sleep(idleFor)
	for i := range counts {
		sent = append(sent, float64(counts[i].Load()-before[i])/idleFor.Seconds())
	}
	for i := range c.quorums {
		roles = append(roles, c.status(i).Role)
	}
	return sent, roles, nil
}

// convokeCost measures the goroutines and the heap that a voter adds to its node, on sockets.
func convokeCost() (rows []Row, err error) {
	c := newConvoke(nil, 3, 3)
	defer c.close()
	if err := c.start(3); err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second)
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	if err := errors.Join(c.startQuorums(), c.formed()); err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second)
	goroutines = runtime.NumGoroutine() - goroutines
	if err := c.work("cost", quorum.Settings{Count: faultShards}); err != nil {
		return nil, err
	}
	if err := c.holds.await("cost", faultShards); err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second)
	return []Row{
		{Measure: "goroutines of a voter of 3, without work", Contender: convoke, Goal: "3 + 2 a stream", Unit: scenario.Number, Real: true, Samples: []float64{float64(goroutines) / 3}},
		{Measure: "heap of a voter of 3, 256 shards (with the calls that hold them)", Contender: convoke, Goal: "200 KB", Unit: scenario.Bytes, Real: true, Samples: []float64{float64(heapInUse()-heap) / 3}},
	}, nil
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
