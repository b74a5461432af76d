package quorum

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/internal/keylock"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// memoryQuorum is some members whose cores exchange frames in memory, without a disk, for tests in a bubble of testing/synctest. Frames
// are handed over at once, in order; one lock stands for the loops of all.
type memoryQuorum struct {
	t      *testing.T
	voters int
	lease  time.Duration
	began  time.Time
	birth  core.Birth

	mu      sync.Mutex
	members []*memoryMember
	queue   []func()
	wake    chan struct{} // the next tick may be due earlier
}

// memoryMember is the engine of one member.
type memoryMember struct {
	*parts
	of        *memoryQuorum
	core      *core.Core
	cut       bool // frames from and to it are lost
	ended     chan struct{}
	until     core.Lease
	view      *core.TableView
	changed   chan struct{}
	receivers map[string]receiver
	requests  map[uint64]chan core.Result
	nextID    uint64

	lostReply, lostRequest bool // the next answer to a write is lost, or the next write, so that its outcome is not known
	lastWrite              uint64
}

// testLease is the lease of memory quorums.
const testLease = 2 * time.Second

// newMemoryQuorum starts members, of whom the first three, or fewer, are voters. The end of the test stops them.
func newMemoryQuorum(t *testing.T, members int) *memoryQuorum {
	t.Helper()
	c := &memoryQuorum{t: t, voters: 1, lease: testLease, began: time.Now(), birth: core.NewBirth(1, 1), wake: make(chan struct{}, 1)}
	if members >= 3 {
		c.voters = 3
	}
	var voters []core.Voter
	for i := range members {
		m := c.newMember(i)
		if len(voters) < c.voters {
			voters = append(voters, core.Voter{ID: uint64(i + 1), Name: m.name})
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var ticker sync.WaitGroup
	ticker.Go(func() { c.tick(ctx) })
	t.Cleanup(func() {
		cancel()
		ticker.Wait()
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		c.do(m, core.Found{Birth: c.birth, Voters: voters})
		c.do(m, c.viewOf(m))
	}
	c.drain()
	return c
}

func (c *memoryQuorum) newMember(i int) *memoryMember {
	m := &memoryMember{of: c, ended: make(chan struct{}), changed: make(chan struct{}), receivers: map[string]receiver{}, requests: map[uint64]chan core.Result{}}
	m.parts = &parts{engine: m, log: hclog.NewNullLogger(), name: fmt.Sprint("n", i), lease: c.lease, updating: &keylock.Locks{}, declared: &sync.Map{}}
	cfg := core.DefaultConfig()
	cfg.Name, cfg.ID, cfg.Lease, cfg.Voters = m.name, uint64(i+1), c.lease, c.voters
	var err error
	if m.core, err = core.New(cfg, core.Saved{}, rand.New(rand.NewPCG(uint64(i), 1))); err != nil {
		c.t.Fatal(err)
	}
	c.members = append(c.members, m)
	return m
}

func (c *memoryQuorum) now() core.Now {
	d := time.Since(c.began) + time.Second
	return core.Now{Running: d, Lease: d}
}

// tick has time pass for the cores.
func (c *memoryQuorum) tick(ctx context.Context) {
	for {
		c.mu.Lock()
		next := time.Hour
		for _, m := range c.members {
			if m.alive() {
				next = min(next, m.core.NextTick()-c.now().Running)
			}
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			continue
		case <-time.After(max(next, 0)):
		}
		c.mu.Lock()
		for _, m := range c.members {
			c.do(m, core.Tick{})
		}
		c.drain()
		c.mu.Unlock()
	}
}

// do queues an input; the lock must be held.
func (c *memoryQuorum) do(m *memoryMember, in core.Input) {
	c.queue = append(c.queue, func() {
		if m.alive() {
			m.act(m.core.Step(c.now(), in))
		}
	})
}

// drain handles what is queued, and what follows from it.
func (c *memoryQuorum) drain() {
	for len(c.queue) > 0 {
		next := c.queue[0]
		c.queue = c.queue[1:]
		next()
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *memoryQuorum) viewOf(m *memoryMember) core.View {
	var v core.View
	for i, o := range c.members {
		up := o == m || o.alive() && !o.cut && !m.cut
		v.Members = append(v.Members, core.Member{Name: o.name, Voter: uint64(i + 1), Disk: true, Up: up})
	}
	return v
}

// setCut cuts a member off, or connects it again; the views show it after a while, as that of gossip would.
func (c *memoryQuorum) setCut(m *memoryMember, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.cut = cut
	for _, o := range c.members {
		if o != m {
			c.do(o, core.LinkDown{Peer: m.name})
			c.do(m, core.LinkDown{Peer: o.name})
		}
		c.do(o, c.viewOf(o))
	}
	c.drain()
}

// kill ends a member.
func (c *memoryQuorum) kill(m *memoryMember) {
	c.mu.Lock()
	close(m.ended)
	c.mu.Unlock()
	c.setCut(m, true)
}

func (m *memoryMember) alive() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

func (m *memoryMember) act(out []core.Output) {
	for _, o := range out {
		switch o := o.(type) {
		case core.Send:
			m.send(o)
		case core.Persist:
			m.of.do(m, core.Persisted{Seq: o.Seq})
		case core.Start:
			if r := m.receivers[o.Group]; r != nil {
				r.start(o.Shard, o.Token, m.core.Session())
			} else {
				m.of.do(m, core.Stopped(o))
			}
		case core.Stop:
			if r := m.receivers[o.Group]; r != nil {
				r.stop(o.Shard, o.Token, o.Lost)
			}
		case core.Standby:
			if r := m.receivers[o.Group]; r != nil {
				r.standby(o.Shard, o.On)
			}
		case core.Refused:
			if r := m.receivers[o.Group]; r != nil {
				r.refused(o.Have)
			}
		case core.Lease:
			m.until = o
		case core.Lost:
			m.until = core.Lease{}
		case core.Changed:
			m.view = m.core.Snapshot()
			close(m.changed)
			m.changed = make(chan struct{})
		case core.Result:
			m.result(o)
		case core.Failed:
			m.of.t.Errorf("the core of %s failed: %s", m.name, o.Reason)
		}
	}
}

func (m *memoryMember) send(o core.Send) {
	i := slices.IndexFunc(m.of.members, func(p *memoryMember) bool { return p.name == o.To })
	if to := m.of.members[i]; !m.cut && !to.cut {
		frame, err := core.ParseFrame(core.AppendFrame(nil, o.Frame))
		if err != nil {
			m.of.t.Errorf("a frame of %s cannot be read: %v", m.name, err)
			return
		}
		m.of.do(to, core.Received{From: m.name, Frame: frame})
	}
}

func (m *memoryMember) result(r core.Result) {
	if m.lostReply && r.Code == core.OK && r.ID == m.lastWrite {
		r, m.lostReply = core.Result{ID: r.ID, Code: core.Unknown}, false
	}
	if ch := m.requests[r.ID]; ch != nil {
		delete(m.requests, r.ID)
		ch <- r
	}
}

// The methods of engine.

func (m *memoryMember) post(in core.Input) error {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	if !m.alive() {
		return ErrStopped
	}
	m.of.do(m, in)
	m.of.drain()
	return nil
}

func (m *memoryMember) request(ctx context.Context, in core.Request) (core.Result, error) {
	ch := make(chan core.Result, 1)
	m.of.mu.Lock()
	m.nextID++
	m.requests[m.nextID] = ch
	switch r := in.(type) {
	case core.Read:
		r.ID = m.nextID
		in = r
	case core.Watch:
		r.ID = m.nextID
		in = r
	case core.Write:
		r.ID = m.nextID
		in, m.lastWrite = r, r.ID
	}
	lost := m.lostRequest && m.lastWrite == m.nextID
	m.lostRequest = m.lostRequest && !lost
	m.of.mu.Unlock()
	if lost {
		return core.Result{Code: core.Unknown}, nil
	}
	if err := m.post(in); err != nil {
		return core.Result{}, err
	}
	select {
	case r := <-ch:
		return r, nil
	case <-ctx.Done():
		return core.Result{}, context.Cause(ctx)
	case <-m.ended:
		return core.Result{}, ErrStopped
	}
}

func (m *memoryMember) register(group string, r receiver) bool {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	if m.receivers[group] != nil {
		return false
	}
	m.receivers[group] = r
	return true
}

func (m *memoryMember) unregister(group string) {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	delete(m.receivers, group)
}

func (m *memoryMember) leaseLeft(session uint64) time.Duration {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	if m.until.Session != session || !m.alive() {
		return 0
	}
	return m.until.Until - m.of.now().Lease
}

func (m *memoryMember) table() (*core.TableView, <-chan struct{}) {
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	return m.view, m.changed
}

func (m *memoryMember) done() <-chan struct{} { return m.ended }
