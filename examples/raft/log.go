// Package raftlog runs a log of hashicorp/raft among the members of a gossip cluster: over streams on the port of the node, under its
// key, founded exactly once, and joined by every member whose own record states it.
package raftlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/goconvoke/convoke/gossip"
)

// protocol is that of the streams, and the name of what is founded.
const protocol = "raft"

// Storage keeps what Raft has to keep, and with it the birth that it belongs to.
type Storage struct {
	Log       raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
}

// birthKey is where the stable store has the ID of the birth.
var birthKey = []byte("convoke/birth")

// Log is one replica of the log.
type Log struct {
	*raft.Raft
	formation *gossip.Formation
	transport *raft.NetworkTransport
	stop      context.CancelFunc
	ended     chan struct{}
}

// streams are what Raft needs of a network: nine lines over Listen and Dial. Servers are addressed by the names of members.
type streams struct {
	net.Listener
	node *gossip.Node
}

func (s streams) Dial(member raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.node.Dial(ctx, string(member), protocol)
}

func (s streams) Addr() net.Addr { return memberAddr(s.node.Name()) }

// memberAddr is the name of a member as a network address.
type memberAddr string

func (memberAddr) Network() string  { return "gossip" }
func (a memberAddr) String() string { return string(a) }

// Open takes part in the log. The log is founded when expect members are together, once; the founder adds the others as their own
// records state that they belong to it. Tuning may be nil.
func Open(node *gossip.Node, expect int, storage Storage, machine raft.FSM, tuning func(*raft.Config)) (*Log, error) {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(node.Name())
	config.Logger = hclog.NewNullLogger()
	if tuning != nil {
		tuning(config)
	}
	listener, err := node.Listen(protocol)
	if err != nil {
		return nil, err
	}
	transport := raft.NewNetworkTransport(streams{listener, node}, 3, 3*time.Second, io.Discard)
	replica, err := raft.NewRaft(config, machine, storage.Log, storage.Stable, storage.Snapshots, transport)
	if err != nil {
		return nil, fmt.Errorf("start raft: %w", err)
	}
	known, _ := storage.Stable.Get(birthKey) // an error means that there is none
	ctx, stop := context.WithCancel(context.Background())
	l := &Log{Raft: replica, transport: transport, stop: stop, ended: make(chan struct{})}
	l.formation, err = node.Form(ctx, gossip.FormationConfig{
		Name: protocol, Expect: expect, Known: string(known),
		Found: func(_ context.Context, b gossip.Birth) error {
			only := raft.Server{ID: config.LocalID, Address: transport.LocalAddr()}
			if err := replica.BootstrapCluster(raft.Configuration{Servers: []raft.Server{only}}).Error(); err != nil {
				return err
			}
			return storage.Stable.Set(birthKey, []byte(b.ID))
		},
	})
	if err != nil {
		stop()
		return nil, err
	}
	go l.follow(ctx, storage.Stable)
	return l, nil
}

// Wait returns the birth of the log that this replica belongs to.
func (l *Log) Wait(ctx context.Context) (gossip.Birth, error) { return l.formation.Wait(ctx) }

// Close ends the replica.
func (l *Log) Close() error {
	l.stop()
	<-l.ended
	l.formation.Close()
	return errors.Join(l.Raft.Shutdown().Error(), l.transport.Close())
}

// follow keeps the birth in the storage, and has the leader add the members that belong to it.
func (l *Log) follow(ctx context.Context, stable raft.StableStore) {
	defer close(l.ended)
	birth, err := l.formation.Wait(ctx)
	if err != nil || stable.Set(birthKey, []byte(birth.ID)) != nil {
		return
	}
	wanted := make(chan []*gossip.Member)
	go func() {
		defer close(wanted)
		for members := range l.formation.Watch(ctx) {
			select {
			case wanted <- members:
			case <-ctx.Done():
				return
			}
		}
	}()
	var members []*gossip.Member
	for {
		select {
		case now, ok := <-wanted:
			if !ok {
				return
			}
			members = now
		case <-l.LeaderCh():
		case <-time.After(time.Second): // what failed is tried again
		case <-ctx.Done():
			for range wanted { // its goroutine ends too
			}
			return
		}
		if l.State() == raft.Leader {
			l.add(members)
		}
	}
}

// add makes members voters that are not.
func (l *Log) add(members []*gossip.Member) {
	f := l.GetConfiguration()
	if f.Error() != nil {
		return
	}
	voters := map[raft.ServerID]bool{}
	for _, s := range f.Configuration().Servers {
		voters[s.ID] = true
	}
	for _, m := range members {
		if id := raft.ServerID(m.Name); !voters[id] && m.Up() {
			if l.AddVoter(id, raft.ServerAddress(m.Name), 0, 5*time.Second).Error() != nil {
				return // not the leader any more, perhaps
			}
		}
	}
}
