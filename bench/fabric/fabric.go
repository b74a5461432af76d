// Package fabric is a network in memory between numbered members: datagrams and streams with latency, loss, cuts, frozen
// members and two kinds of death, which counts what each member sends. It waits on channels and timers only, so that
// testing/synctest can turn its clock. Every engine runs over the same one.
package fabric

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Latency is how long a packet travels one way, drawn evenly between the two.
const (
	minLatency = 500 * time.Microsecond
	maxLatency = 1500 * time.Microsecond
)

// port is the one that every member listens on.
const port = 7946

// Fabric is the network of up to 65,536 members, numbered from 0. Its methods are safe for concurrent use.
type Fabric struct {
	mu      sync.Mutex
	rng     *rand.Rand
	members []member
	index   map[string]int // by address
	loss    float64
	rate    float64 // of each line and direction, in bytes a second; 0: no limit
	closed  bool
}

// member is one host with the process on it.
type member struct {
	counters Counters
	state    state
	group    int       // members of different groups do not reach each other
	thaw     time.Time // frozen until then
	receive  func(from int, b []byte)
	listener *listener
	conns    map[*Conn]struct{}
	line     line
}

// state is what became of a member.
type state uint8

const (
	running  state = iota
	crashed        // the process is dead, the host answers for it
	vanished       // the host is gone
)

// New returns a network of n members without faults. Everything random is drawn from the seed.
func New(n int, seed uint64) *Fabric {
	f := &Fabric{rng: rand.New(rand.NewPCG(seed, 1)), members: make([]member, n), index: make(map[string]int, n)}
	for i := range f.members {
		f.members[i].conns = make(map[*Conn]struct{})
		f.index[Addr(i)] = i
	}
	return f
}

// IP returns the address of a member's host.
func IP(i int) net.IP { return net.IPv4(10, 0, byte(i>>8), byte(i)) }

// Port returns the port that every member listens on.
func Port() int { return port }

// Addr returns the host:port of a member.
func Addr(i int) string { return net.JoinHostPort(IP(i).String(), fmt.Sprint(port)) }

// Index returns the member at an address.
func (f *Fabric) Index(addr string) (int, error) {
	if i, ok := f.index[addr]; ok {
		return i, nil
	}
	return 0, fmt.Errorf("no member has the address %s", addr)
}

// Close ends all streams and lets nothing pass any more.
func (f *Fabric) Close() {
	f.mu.Lock()
	f.closed = true
	var conns []*Conn
	for i := range f.members {
		conns = f.members[i].take(conns)
	}
	f.mu.Unlock()
	for _, c := range conns {
		c.abortLocal(net.ErrClosed)
	}
}

// take empties the list of a member's streams, and closes its listener.
func (m *member) take(conns []*Conn) []*Conn {
	for c := range m.conns {
		conns = append(conns, c)
	}
	clear(m.conns)
	if m.listener != nil {
		_ = m.listener.Close()
	}
	return conns
}

// fate is what happens to a packet.
type fate uint8

const (
	arrives fate = iota
	waits        // the receiver is frozen
	stops        // the way is cut, or the receiver's host is gone
	bounces      // the host answers that there is no process
)

// fateOf returns what happens now to a packet on its way, and for how long it has to wait. mu is held.
func (f *Fabric) fateOf(from, to int) (fate, time.Duration) {
	a, b := &f.members[from], &f.members[to]
	switch {
	case f.closed, a.state == vanished, b.state == vanished, a.group != b.group:
		return stops, 0
	case b.state == crashed:
		return bounces, 0
	}
	if wait := time.Until(b.thaw); wait > 0 {
		return waits, wait
	}
	return arrives, 0
}

func (f *Fabric) fate(from, to int) (fate, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fateOf(from, to)
}

// latency is that of one packet. mu is held.
func (f *Fabric) latency() time.Duration {
	return minLatency + time.Duration(f.rng.Int64N(int64(maxLatency-minLatency)))
}

// isLost reports whether a packet is. mu is held.
func (f *Fabric) isLost() bool { return f.loss > 0 && f.rng.Float64() < f.loss }
