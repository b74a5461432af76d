package election

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"

	"github.com/goconvoke/convoke/bench/fabric"
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

// leader returns who leads among those that have not ended, -1 if no member does.
func (c *raftCluster) leader() int {
	for i, n := range c.nodes {
		if !c.ended[i] && n.State() == raft.Leader {
			return i
		}
	}
	return -1
}

// commit waits until a write at the leader is committed.
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
