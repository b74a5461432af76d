package election

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
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

// convokeIdle measures what idle members send and compute with a quorum, above what they do without one.
func convokeIdle() ([]Row, error) {
	without, err := idle(false)
	if err != nil {
		return nil, err
	}
	with, err := idle(true)
	if err != nil {
		return nil, err
	}
	base := 0.0
	for _, b := range without.sent {
		base += b / float64(len(without.sent))
	}
	byRole := map[string][]float64{}
	for i, b := range with.sent {
		byRole[with.roles[i]] = append(byRole[with.roles[i]], b-base)
	}
	row := func(what, role, goal string) Row {
		return Row{Measure: "idle, 256 members, 1,024 shards: sent by " + what, Contender: convoke, Goal: goal, Unit: scenario.BytesPerSecond, Samples: byRole[role]}
	}
	return []Row{row("the leader", "leader", "80 KB/s"), row("another voter", "voter", "5 KB/s"), row("a member", "none", "300 B/s"),
		{Measure: "idle, 256 members: sent by a member of gossip alone", Contender: convoke, Unit: scenario.BytesPerSecond, Samples: without.sent},
		{Measure: idleCPUAdded, Contender: convoke, Goal: "that of gossip", Unit: scenario.Seconds, Real: true,
			Samples: []float64{(with.cpu - without.cpu).Seconds() / idleMembers}},
		{Measure: idleCPUAlone, Contender: convoke, Unit: scenario.Seconds, Real: true, Samples: []float64{without.cpu.Seconds() / idleMembers}}}, nil
}

// CPU time has no virtual clock; what it has is the same machine in the same minute for both.
const (
	idleCPUAdded = "idle, 256 members, 1,024 shards: CPU time of a member in a second, added by the quorum"
	idleCPUAlone = "idle, 256 members: CPU time of a member in a second, gossip alone"
)

// idleness is what members do that have nothing to do.
type idleness struct {
	sent  []float64 // payload of each member in a second, in bytes
	roles []string
	cpu   time.Duration // of all members in a second
}

// idle measures it.
func idle(withQuorum bool) (i idleness, err error) {
	f := fabric.New(idleMembers, rand.Uint64())
	c := newConvoke(f, 3, idleMembers-1) // the most that a birth may expect
	defer func() { f.Close(); c.close() }()
	counts := make([]atomic.Int64, idleMembers)
	c.carry = func(i int) transport.Transport { return meter{engine.Transport(f, i), &counts[i]} }
	if err := c.start(idleMembers); err != nil {
		return i, err
	}
	if withQuorum {
		if err := errors.Join(c.startQuorums(), c.work("idle", quorum.Settings{Count: idleShards})); err != nil {
			return i, err
		}
		if err := c.holds.await("idle", idleShards); err != nil {
			return i, err
		}
	}
	time.Sleep(idleFor)
	before, cpu := make([]int64, idleMembers), cpuTime()
	for m := range counts {
		before[m] = counts[m].Load()
	}
	time.Sleep(idleFor)
	i.cpu = (cpuTime() - cpu) / time.Duration(idleFor/time.Second)
	for m := range counts {
		i.sent = append(i.sent, float64(counts[m].Load()-before[m])/idleFor.Seconds())
	}
	for m := range c.quorums {
		i.roles = append(i.roles, c.status(m).Role)
	}
	return i, nil
}

// cpuTime returns the CPU time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no other argument
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
