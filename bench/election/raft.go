package election

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"

	"github.com/goconvoke/convoke/bench/fabric"
	"github.com/goconvoke/convoke/bench/scenario"
)

// raftCluster is voters of hashicorp/raft.
type raftCluster struct {
	net        *fabric.Fabric // nil: sockets of 127.0.0.1
	nodes      []*raft.Raft
	transports []*raft.NetworkTransport
	stores     []io.Closer
	ended      map[int]bool
}

// raftLayer carries a voter's streams over the fabric.
type raftLayer struct {
	net.Listener
	net  *fabric.Fabric
	self int
}

func (l raftLayer) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	i, err := l.net.Index(string(to))
	if err != nil {
		return nil, err
	}
	ctx, cancel := bounded()
	defer cancel()
	time.AfterFunc(timeout, cancel)
	return l.net.Dial(ctx, l.self, i)
}

func (l raftLayer) Addr() net.Addr {
	return &net.TCPAddr{IP: fabric.IP(l.self), Port: fabric.Port()}
}

// raftConfig is the default with all timeouts divided.
func raftConfig(i int, divide time.Duration) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = raft.ServerID(fmt.Sprint(i)), hclog.NewNullLogger()
	c.HeartbeatTimeout /= divide
	c.ElectionTimeout /= divide
	c.LeaderLeaseTimeout /= divide
	c.CommitTimeout /= divide
	return c
}

// newRaft starts voters; dir is for their disks, "" keeps the logs in memory.
func newRaft(n int, divide time.Duration, network *fabric.Fabric, dir string) (*raftCluster, error) {
	c := &raftCluster{net: network, ended: map[int]bool{}}
	var servers []raft.Server
	for i := range n {
		var t *raft.NetworkTransport
		if network != nil {
			t = raft.NewNetworkTransport(raftLayer{network.Listen(i), network, i}, 3, 10*time.Second, io.Discard)
		} else {
			var err error
			if t, err = raft.NewTCPTransport("127.0.0.1:0", nil, 3, 10*time.Second, io.Discard); err != nil {
				return c, err
			}
		}
		c.transports = append(c.transports, t)
		servers = append(servers, raft.Server{ID: raft.ServerID(fmt.Sprint(i)), Address: t.LocalAddr()})
	}
	for i := range n {
		if err := c.start(i, raftConfig(i, divide), dir, servers); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *raftCluster) start(i int, config *raft.Config, dir string, servers []raft.Server) error {
	var logs interface {
		raft.LogStore
		raft.StableStore
	} = raft.NewInmemStore()
	if dir != "" {
		s, err := raftboltdb.NewBoltStore(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return err
		}
		logs = s
		c.stores = append(c.stores, s)
	}
	snapshots := raft.NewInmemSnapshotStore()
	if err := raft.BootstrapCluster(config, logs, logs, snapshots, c.transports[i], raft.Configuration{Servers: servers}); err != nil {
		return err
	}
	node, err := raft.NewRaft(config, discardLog{}, logs, logs, snapshots, c.transports[i])
	c.nodes = append(c.nodes, node)
	return err
}

// discardLog is a state machine without state.
type discardLog struct{}

func (discardLog) Apply(*raft.Log) any                 { return nil }
func (discardLog) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("not supported") }
func (discardLog) Restore(io.ReadCloser) error         { return nil }

// leader returns who leads among those that have not ended, -1 if nobody does.
func (c *raftCluster) leader() int {
	for i, n := range c.nodes {
		if !c.ended[i] && n.State() == raft.Leader {
			return i
		}
	}
	return -1
}

// commit waits until a write at whoever leads is committed.
func (c *raftCluster) commit() error {
	return until("commit", func() bool {
		i := c.leader()
		return i >= 0 && c.nodes[i].Apply([]byte("x"), within).Error() == nil
	})
}

func (c *raftCluster) close() error {
	var errs []error
	for i, n := range c.nodes {
		errs = append(errs, n.Shutdown().Error(), c.transports[i].Close())
	}
	for _, s := range c.stores {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// raftFaults measures the first leader, and commits after the leader was killed and, in a cluster of its own, after its host fell silent.
func raftFaults(voters int, divide time.Duration) (rows []Row, err error) {
	contender := "hashicorp/raft"
	if divide > 1 {
		contender += fmt.Sprintf(", timeouts ÷ %d", divide)
	}
	for _, m := range []struct {
		measure string
		fault   func(f *fabric.Fabric, i int)
	}{{leaderKilled, (*fabric.Fabric).Crash}, {leaderSilent, (*fabric.Fabric).Vanish}} {
		first, took, err := raftFault(voters, divide, m.fault)
		if err != nil {
			return rows, err
		}
		rows = append(rows, seconds(votersOf(m.measure, voters), contender, "", took))
		if voters == 3 {
			rows = append(rows, seconds(firstLeader, contender, "", first))
		}
	}
	return rows, nil
}

func votersOf(measure string, voters int) string {
	return fmt.Sprintf("%s, %d voters", measure, voters)
}

func raftFault(voters int, divide time.Duration, fault func(f *fabric.Fabric, i int)) (first, took time.Duration, err error) {
	f := fabric.New(voters, rand.Uint64())
	defer f.Close()
	begin := time.Now()
	c, err := newRaft(voters, divide, f, "")
	defer func() { f.Close(); err = errors.Join(err, c.close()) }()
	if err != nil {
		return 0, 0, err
	}
	if err := until("first leader", func() bool { return c.leader() >= 0 }); err != nil {
		return 0, 0, err
	}
	first = time.Since(begin)
	if err := c.commit(); err != nil {
		return first, 0, err
	}
	time.Sleep(5*time.Second + randomPart(time.Second))
	leader := c.leader()
	if leader < 0 {
		return first, 0, errors.New("nobody leads before the fault")
	}
	begin = time.Now()
	fault(f, leader)
	c.ended[leader] = true
	err = c.commit()
	return first, time.Since(begin), err
}

// raftRates measures commits on a disk and real sockets.
func raftRates() (rows []Row, err error) {
	dir, err := os.MkdirTemp("", "raft")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := newRaft(3, 1, nil, dir)
	defer func() { err = errors.Join(err, c.close()) }()
	if err == nil {
		err = c.commit()
	}
	if err != nil {
		return nil, err
	}
	leader := c.nodes[c.leader()]
	write := func() error { return leader.Apply([]byte("value"), within).Error() }
	return rates("hashicorp/raft with raft-boltdb", "", write)
}

// rateFor is how long commits are counted.
const rateFor = 3 * time.Second

// rates measures how many writes a second succeed, one after the other and of 64 writers.
func rates(contender, goal string, write func() error) (rows []Row, err error) {
	for _, m := range []struct {
		measure string
		writers int
		goal    string
	}{{singleWrites, 1, goal}, {manyWrites, 64, ""}} {
		n, took, err := rate(m.writers, write)
		if err != nil {
			return rows, err
		}
		rows = append(rows, Row{Measure: m.measure, Contender: contender, Goal: m.goal, Unit: scenario.PerSecond, Real: true,
			Samples: []float64{float64(n) / took.Seconds()}})
	}
	return rows, nil
}

func rate(writers int, write func() error) (n int, took time.Duration, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	begin := time.Now()
	for range writers {
		wg.Go(func() {
			for time.Since(begin) < rateFor {
				failed := write()
				mu.Lock()
				n++
				err = errors.Join(err, failed)
				stop := err != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	return n, time.Since(begin), err
}
