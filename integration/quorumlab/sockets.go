package quorumlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/quorum"
)

// Sockets is a quorum of real nodes in this process, on sockets of the loopback interface and a disk, for many short histories. Methods
// that cause faults are for one goroutine.
type Sockets struct {
	dir   string
	nodes []*socketNode
	joins sync.WaitGroup
}

// socketNode is a node and the lines to it.
type socketNode struct {
	name, addr string
	transport.TCP

	mu     sync.Mutex
	cut    bool
	conns  map[net.Conn]struct{}
	gossip *gossip.Node
	quorum *quorum.Quorum
}

var errCut = errors.New("the line is cut")

// Secure implements transport.Transport.
func (n *socketNode) Secure(ctx context.Context, raw net.Conn) (transport.Conn, error) {
	c, err := n.TCP.Secure(ctx, raw)
	return n.keep(c, err)
}

// Dial implements transport.Transport.
func (n *socketNode) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	c, err := n.TCP.Dial(ctx, addr)
	return n.keep(c, err)
}

// keep remembers a connection until it is closed; while the line is cut it closes it.
func (n *socketNode) keep(c transport.Conn, err error) (transport.Conn, error) {
	if err != nil {
		return c, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		return nil, errors.Join(errCut, c.Close())
	}
	k := &keptConn{Conn: c, of: n}
	n.conns[k] = struct{}{}
	return k, nil
}

type keptConn struct {
	transport.Conn
	of *socketNode
}

// Close implements net.Conn.
func (c *keptConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// NewSockets starts nodes with one quorum of three voters and a lease of 1 s.
func NewSockets(dir string, nodes int) (*Sockets, error) {
	s := &Sockets{dir: dir}
	for i := range nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return s, err
		}
		n := &socketNode{name: fmt.Sprint("n", i), addr: l.Addr().String(), conns: map[net.Conn]struct{}{}}
		if err := l.Close(); err != nil {
			return s, err
		}
		s.nodes = append(s.nodes, n)
	}
	for i := range s.nodes {
		if err := s.start(i); err != nil {
			return s, err
		}
	}
	return s, s.Await(within)
}

// within is how long a healthy quorum may take to have a leader, on a busy machine.
const within = time.Minute

func (s *Sockets) addrs() []string {
	var all []string
	for _, n := range s.nodes {
		all = append(all, n.addr)
	}
	return all
}

// start starts a node, which joins the others.
func (s *Sockets) start(i int) error {
	n := s.nodes[i]
	var err error
	n.gossip, err = gossip.Start(gossip.Config{Name: n.name, ClusterID: "lab", Listen: n.addr, DataDir: filepath.Join(s.dir, n.name), Transport: n})
	if err != nil {
		return err
	}
	node := n.gossip
	s.joins.Go(func() {
		for node.Err() == nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_ = node.Join(ctx, s.addrs()...) // tried again
			cancel()
			time.Sleep(200 * time.Millisecond)
		}
	})
	return s.open(i)
}

// open starts the quorum part of a node.
func (s *Sockets) open(i int) error {
	n := s.nodes[i]
	q, err := quorum.Start(quorum.Config{Node: n.gossip, DataDir: filepath.Join(s.dir, n.name), Birth: quorum.Expect(len(s.nodes)), Lease: time.Second})
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.quorum = q
	return nil
}

// Quorum returns the part of a node, the last one.
func (s *Sockets) Quorum(i int) *quorum.Quorum {
	n := s.nodes[i]
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.quorum
}

// Leader returns the node that leads, as a node that can be reached by all knows it; -1 while none is known.
func (s *Sockets) Leader() int {
	for i := range s.nodes {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		st, err := s.Quorum(i).Status(ctx)
		cancel()
		if err == nil && st.Role == "leader" {
			return i
		}
	}
	return -1
}

// Await waits until a node leads.
func (s *Sockets) Await(limit time.Duration) error {
	for end := time.Now().Add(limit); s.Leader() < 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("no node leads after %v", limit)
		}
	}
	return nil
}

// RestartPart ends the quorum part of a node at once, and starts it again.
func (s *Sockets) RestartPart(i int, after time.Duration) error {
	s.Quorum(i).Stop()
	time.Sleep(after)
	return s.open(i)
}

// Restart ends a whole node at once, and starts it again.
func (s *Sockets) Restart(i int, after time.Duration) error {
	s.Quorum(i).Stop()
	s.nodes[i].gossip.Stop()
	time.Sleep(after)
	return s.start(i)
}

// Cut cuts the lines of a node, or joins them again.
func (s *Sockets) Cut(i int, cut bool) {
	n := s.nodes[i]
	n.mu.Lock()
	n.cut = cut
	var all []net.Conn
	for c := range n.conns {
		all = append(all, c)
	}
	n.mu.Unlock()
	if !cut {
		return
	}
	for _, c := range all {
		_ = c.Close() // its users find out
	}
}

// Stop ends all nodes.
func (s *Sockets) Stop() {
	for _, n := range s.nodes {
		if n.quorum != nil {
			n.quorum.Stop()
		}
		if n.gossip != nil {
			n.gossip.Stop()
		}
	}
	s.joins.Wait()
}
