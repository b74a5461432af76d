package connectortest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// The operations that a [Mesh] records.
const (
	OpConnect    = "connect"
	OpDisconnect = "disconnect"
	OpList       = "list"
)

// Call is one call that a [Mesh] received.
type Call struct {
	At   time.Time // when it came in
	Op   string    // OpConnect, OpDisconnect or OpList
	Peer peer.Peer // as the caller gave it; zero for OpList
}

// Mesh is a connector that works in memory: every address answers at once, except those that
// have a script. It records its calls. It has no goroutines and reads no clock but
// time.Now, so it is at home in a testing/synctest bubble. All methods may be called at once.
//
// A script (Refuse, Hang, Stall, Panic) belongs to one address, replaces the one before, and concerns calls
// that start after it.
type Mesh struct {
	// Gossip is what Gossips returns. Set it before the first call.
	Gossip bool

	changes chan struct{}

	mu        sync.Mutex
	scripts   map[string]script // by canonical address
	drops     map[string]error  // by canonical address: what Disconnect returns
	listErr   error
	connected map[string]peer.Peer // by canonical address
	calls     []Call
}

var (
	_ connector.Connector = (*Mesh)(nil)
	_ connector.Notifier  = (*Mesh)(nil)
	_ connector.Gossiper  = (*Mesh)(nil)
)

// script is what happens to a Connect: the first field that is set decides.
type script struct {
	panics  bool
	hangs   bool
	release <-chan struct{} // ignores its context until it is closed
	err     error
}

// NewMesh returns a mesh without connections in which every address answers.
func NewMesh() *Mesh {
	return &Mesh{
		changes:   make(chan struct{}, 1),
		scripts:   make(map[string]script),
		drops:     make(map[string]error),
		connected: make(map[string]peer.Peer),
	}
}

// Refuse makes Connect to addr return err. A nil err removes whatever script addr has.
func (m *Mesh) Refuse(addr string, err error) {
	m.setScript(addr, script{err: err})
}

// Hang makes Connect to addr wait until its ctx is done, and return the error of ctx.
func (m *Mesh) Hang(addr string) { m.setScript(addr, script{hangs: true}) }

// Stall makes Connect to addr wait until release is closed, whatever happens to its ctx. It succeeds then.
func (m *Mesh) Stall(addr string, release <-chan struct{}) {
	m.setScript(addr, script{release: release})
}

// Panic makes Connect and Disconnect to addr panic.
func (m *Mesh) Panic(addr string) { m.setScript(addr, script{panics: true}) }

// FailList makes List return err; nil lets it answer again.
func (m *Mesh) FailList(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listErr = err
}

// FailDisconnect makes Disconnect from addr return err and change nothing; nil lets it work again.
func (m *Mesh) FailDisconnect(addr string, err error) {
	addr = mustAddr(addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drops[addr] = err
}

// Inbound makes p appear connected without a call of ours, as a peer that dialled us. It
// panics when p.Addr is not an address.
func (m *Mesh) Inbound(p peer.Peer) {
	p.Addr = mustAddr(p.Addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connected[p.Addr] = p
	m.changedLocked()
}

// Lose drops the connection to addr without a call of ours. The address still answers.
func (m *Mesh) Lose(addr string) {
	addr = mustAddr(addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.connected, addr)
	m.changedLocked()
}

// Calls returns all calls so far, oldest first.
func (m *Mesh) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Count returns the number of calls of one operation so far.
func (m *Mesh) Count(op string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, c := range m.calls {
		if c.Op == op {
			n++
		}
	}
	return n
}

// Connected returns the connected peers, sorted by address. Unlike List it is not recorded and never fails.
func (m *Mesh) Connected() []peer.Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.connectedLocked()
}

// Connect connects p, unless a script for its address prevents it.
func (m *Mesh) Connect(ctx context.Context, p peer.Peer) error {
	m.record(OpConnect, p)
	addr, err := peer.Addr(p.Addr)
	if err != nil {
		return err
	}
	s, done := m.scriptOf(addr)
	switch {
	case s.panics:
		panic(fmt.Sprintf("connectortest: scripted panic for %s", addr))
	case s.release != nil:
		<-s.release
		return m.connect(addr, p)
	case ctx.Err() != nil:
		return fmt.Errorf("connect %s: %w", addr, ctx.Err())
	case done:
		return nil
	case s.hangs:
		<-ctx.Done()
		return fmt.Errorf("connect %s: %w", addr, ctx.Err())
	case s.err != nil:
		return fmt.Errorf("connect %s: %w", addr, s.err)
	}
	return m.connect(addr, p)
}

// Disconnect drops p, unless a script for its address prevents it.
func (m *Mesh) Disconnect(ctx context.Context, p peer.Peer) error {
	m.record(OpDisconnect, p)
	addr, err := peer.Addr(p.Addr)
	if err != nil {
		return err
	}
	if s, _ := m.scriptOf(addr); s.panics {
		panic(fmt.Sprintf("connectortest: scripted panic for %s", addr))
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("disconnect %s: %w", addr, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.drops[addr]; err != nil {
		return fmt.Errorf("disconnect %s: %w", addr, err)
	}
	if _, is := m.connected[addr]; is {
		delete(m.connected, addr)
		m.changedLocked()
	}
	return nil
}

// List returns the connected peers, sorted by address, or the error of FailList.
func (m *Mesh) List(ctx context.Context) ([]peer.Peer, error) {
	m.record(OpList, peer.Peer{})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.listErr, ctx.Err()); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	return m.connectedLocked(), nil
}

// Changes wakes its readers when the list has changed.
func (m *Mesh) Changes() <-chan struct{} { return m.changes }

// Gossips returns the field Gossip.
func (m *Mesh) Gossips() bool { return m.Gossip }

func (m *Mesh) setScript(addr string, s script) {
	addr = mustAddr(addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scripts[addr] = s
}

func (m *Mesh) record(op string, p peer.Peer) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, Call{At: now, Op: op, Peer: p})
}

// scriptOf returns the script of an address and whether it is connected.
func (m *Mesh) scriptOf(addr string) (s script, connected bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, connected = m.connected[addr]
	return m.scripts[addr], connected
}

func (m *Mesh) connect(addr string, p peer.Peer) error {
	p.Addr = addr
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, is := m.connected[addr]; !is {
		m.connected[addr] = p
		m.changedLocked()
	}
	return nil
}

func (m *Mesh) connectedLocked() []peer.Peer {
	return slices.SortedFunc(maps.Values(m.connected), func(a, b peer.Peer) int {
		return cmp.Compare(a.Addr, b.Addr)
	})
}

func (m *Mesh) changedLocked() {
	select {
	case m.changes <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// mustAddr returns the canonical form of an address that a test wrote down.
func mustAddr(addr string) string {
	a, err := peer.Addr(addr)
	if err != nil {
		panic("connectortest: " + err.Error())
	}
	return a
}
