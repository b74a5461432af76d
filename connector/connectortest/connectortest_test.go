package connectortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

const (
	ownAddr     = "10.0.0.1:7946"
	foreignAddr = "10.9.9.9:7946"
	refusedAddr = "10.8.8.8:7946"
	hangingAddr = "10.7.7.7:7946"
)

var errDown = errors.New("not running")

// goodConnector is a connector that keeps all rules: a mesh with a life.
type goodConnector struct {
	*Mesh
	up atomic.Bool
}

func newLiving() *goodConnector {
	l := &goodConnector{Mesh: NewMesh()}
	l.Refuse(ownAddr, connector.ErrSelf)
	l.Refuse(foreignAddr, connector.ErrForeign)
	l.Refuse(refusedAddr, errors.New("refused"))
	l.Hang(hangingAddr)
	return l
}

func (l *goodConnector) Run(ctx context.Context) error {
	l.up.Store(true)
	defer l.up.Store(false)
	<-ctx.Done()
	return ctx.Err()
}

func (l *goodConnector) Connect(ctx context.Context, p peer.Peer) error {
	if !l.up.Load() {
		return errDown
	}
	return l.Mesh.Connect(ctx, p)
}

func (l *goodConnector) List(ctx context.Context) ([]peer.Peer, error) {
	if !l.up.Load() {
		return nil, errDown
	}
	return l.Mesh.List(ctx)
}

func (l *goodConnector) Self() []peer.Peer { return []peer.Peer{{Addr: ownAddr}} }

func (l *goodConnector) Leave(context.Context) error { return nil }

// subject makes a subject of a connector around a good one.
func subject(wrap func(*goodConnector) connector.Connector) Subject {
	var mesh *goodConnector
	at := func(addr string) func(testing.TB, connector.Connector) peer.Peer {
		return func(testing.TB, connector.Connector) peer.Peer { return peer.Peer{Addr: addr} }
	}
	next := 0
	return Subject{
		New: func(testing.TB) connector.Connector {
			mesh = newLiving()
			return wrap(mesh)
		},
		Peer: func(testing.TB, connector.Connector) peer.Peer {
			next++
			return peer.Peer{Addr: fmt.Sprintf("10.1.0.%d:7946", next)}
		},
		Inbound: func(testing.TB, connector.Connector) peer.Peer {
			next++
			p := peer.Peer{Addr: fmt.Sprintf("10.2.0.%d:7946", next), ID: fmt.Sprintf("inbound-%d", next)}
			mesh.Inbound(p)
			return p
		},
		Drop:    func(_ testing.TB, _ connector.Connector, p peer.Peer) { mesh.Lose(p.Addr) },
		Foreign: at(foreignAddr),
		Hanging: at(hangingAddr),
		Refused: at(refusedAddr),
		Bubble:  true,

		Patience: 5 * time.Second, // fake
	}
}

func TestLivingMeshPasses(t *testing.T) {
	Run(t, subject(func(l *goodConnector) connector.Connector { return l }))
}

func TestMeshPasses(t *testing.T) {
	s := subject(func(l *goodConnector) connector.Connector { return l.Mesh })
	s.Self = func(testing.TB, connector.Connector) peer.Peer { return peer.Peer{Addr: ownAddr} }
	Run(t, s)
}

// brokenConnector overrides single methods of a connector that keeps all rules.
type brokenConnector struct {
	*goodConnector
	connect    func(context.Context, peer.Peer) error
	disconnect func(context.Context, peer.Peer) error
	list       func(context.Context) ([]peer.Peer, error)
	run        func(context.Context) error
	leave      func(context.Context) error
	changes    chan struct{}
}

func (b *brokenConnector) Connect(ctx context.Context, p peer.Peer) error {
	if b.connect != nil {
		return b.connect(ctx, p)
	}
	return b.goodConnector.Connect(ctx, p)
}

func (b *brokenConnector) Disconnect(ctx context.Context, p peer.Peer) error {
	if b.disconnect != nil {
		return b.disconnect(ctx, p)
	}
	return b.goodConnector.Disconnect(ctx, p)
}

func (b *brokenConnector) List(ctx context.Context) ([]peer.Peer, error) {
	if b.list != nil {
		return b.list(ctx)
	}
	return b.goodConnector.List(ctx)
}

func (b *brokenConnector) Run(ctx context.Context) error {
	if b.run != nil {
		return b.run(ctx)
	}
	return b.goodConnector.Run(ctx)
}

func (b *brokenConnector) Leave(ctx context.Context) error {
	if b.leave != nil {
		return b.leave(ctx)
	}
	return nil
}

func (b *brokenConnector) Changes() <-chan struct{} {
	if b.changes != nil {
		return b.changes
	}
	return b.goodConnector.Changes()
}

// with appends peers to what a good List returns.
func (b *brokenConnector) with(more ...peer.Peer) func(context.Context) ([]peer.Peer, error) {
	return func(ctx context.Context) ([]peer.Peer, error) {
		all, err := b.goodConnector.List(ctx)
		if err == nil {
			all = append(all, more...)
		}
		return all, err
	}
}

// remotePorts lists peers that connected by themselves under the port of their end of the connection, with their ID or without.
func (b *brokenConnector) remotePorts(id bool) func(context.Context) ([]peer.Peer, error) {
	return func(ctx context.Context) ([]peer.Peer, error) {
		all, err := b.goodConnector.List(ctx)
		for i, p := range all {
			all[i].Addr = strings.Replace(p.Addr, ":7946", ":50001", 1)
			if !id {
				all[i].ID = ""
			}
		}
		return all, err
	}
}

// empty is the mistake that costs most: unknown given out as no peer.
func (b *brokenConnector) empty(ctx context.Context) ([]peer.Peer, error) {
	all, err := b.goodConnector.List(ctx)
	if err != nil {
		return nil, nil
	}
	return all, nil
}

// succeed makes Connect to an address succeed in name only.
func (b *brokenConnector) succeed(addr string) func(context.Context, peer.Peer) error {
	return func(ctx context.Context, p peer.Peer) error {
		if p.Addr == addr {
			return nil
		}
		return b.goodConnector.Connect(ctx, p)
	}
}

// defects lists ways to break rules, and the check that must notice each.
var defects = []struct {
	check, name, want string
	do                func(*brokenConnector)
}{
	{"Connect connects", "Connect fails", "Connect(", func(b *brokenConnector) {
		b.connect = func(context.Context, peer.Peer) error { return errDown }
	}},
	{"Connect connects", "Connect does nothing", "neither that address nor that ID", func(b *brokenConnector) {
		b.connect = func(context.Context, peer.Peer) error { return nil }
	}},
	{"List shows a connected peer under its address or its ID", "peers are listed under another port", "10.1.0.1:40001", func(b *brokenConnector) {
		b.list = func(ctx context.Context) ([]peer.Peer, error) {
			all, err := b.goodConnector.List(ctx)
			for i, p := range all {
				all[i].Addr = strings.Replace(p.Addr, ":7946", ":40001", 1)
			}
			return all, err
		}
	}},
	{"List shows a peer that connected by itself under its address or its ID", "the remote port of the connection is listed", "connected by itself, and within", func(b *brokenConnector) {
		b.list = b.remotePorts(false)
	}},
	{"List shows a peer that connected by itself under its address or its ID", "Connect makes a second connection", "listed 2 times", func(b *brokenConnector) {
		b.list = b.remotePorts(true)
		b.connect = func(ctx context.Context, p peer.Peer) error {
			b.goodConnector.Inbound(peer.Peer{Addr: "10.3.0.1:7946", ID: p.ID})
			return nil
		}
	}},
	{"Changes wakes when a peer connects by itself", "Changes is silent", "did not wake", func(b *brokenConnector) {
		b.changes = make(chan struct{}, 1)
	}},
	{"Connect is idempotent", "a second Connect fails", "second Connect", func(b *brokenConnector) {
		b.connect = func(ctx context.Context, p peer.Peer) error {
			if slices.ContainsFunc(b.Connected(), func(q peer.Peer) bool { return q.Addr == p.Addr }) {
				return errors.New("connected already")
			}
			return b.goodConnector.Connect(ctx, p)
		}
	}},
	{"Connect returns soon after its ctx is done", "Connect ignores its ctx", "has not returned", func(b *brokenConnector) {
		b.connect = func(_ context.Context, p peer.Peer) error { return b.goodConnector.Connect(slow(), p) }
	}},
	{"Connect returns soon after its ctx is done", "a hanging Connect succeeds", "want an error", func(b *brokenConnector) {
		b.connect = b.succeed(hangingAddr)
	}},
	{"Connect to a refused address is an error", "a refusal is swallowed", "want an error", func(b *brokenConnector) {
		b.connect = b.succeed(refusedAddr)
	}},
	{"Connect to a refused address is an error", "the refusing peer is listed", "although it refused", func(b *brokenConnector) {
		b.list = b.with(peer.Peer{Addr: refusedAddr})
	}},
	{"Connect to the own address is ErrSelf", "self is joined", "want ErrSelf", func(b *brokenConnector) {
		b.connect = b.succeed(ownAddr)
	}},
	{"Connect to the own address is ErrSelf", "self is listed", "the own address", func(b *brokenConnector) {
		b.list = b.with(peer.Peer{Addr: ownAddr})
	}},
	{"Connect to another cluster is ErrForeign", "strangers are joined", "want ErrForeign", func(b *brokenConnector) {
		b.connect = b.succeed(foreignAddr)
	}},
	{"Connect to another cluster is ErrForeign", "the foreign peer is listed", "of another cluster is listed", func(b *brokenConnector) {
		b.list = b.with(peer.Peer{Addr: foreignAddr})
	}},
	{"Disconnect is idempotent", "a second Disconnect fails", "second Disconnect", func(b *brokenConnector) {
		b.disconnect = func(ctx context.Context, p peer.Peer) error {
			if len(b.Connected()) == 0 {
				return errors.New("not connected")
			}
			return b.goodConnector.Disconnect(ctx, p)
		}
	}},
	{"Disconnect is idempotent", "Disconnect does nothing", "is not listed after Disconnect", func(b *brokenConnector) {
		b.disconnect = func(context.Context, peer.Peer) error { return nil }
	}},
	{"Disconnect of an unknown peer is not an error", "an unknown peer is an error", "never connected", func(b *brokenConnector) {
		b.disconnect = func(context.Context, peer.Peer) error { return errors.New("who?") }
	}},
	{"List is without this node", "self is listed", "holds this node", func(b *brokenConnector) {
		b.list = b.with(peer.Peer{Addr: ownAddr})
	}},
	{"List is canonical and names no peer twice", "an address is not canonical", "as peer.Addr writes it", func(b *brokenConnector) {
		b.list = b.with(peer.Peer{Addr: "[::ffff:10.0.0.9]:1"})
	}},
	{"List is canonical and names no peer twice", "a peer is listed twice", "twice", func(b *brokenConnector) {
		b.list = b.with(peer.Peer{Addr: "10.0.0.9:1"}, peer.Peer{Addr: "10.0.0.9:1"})
	}},
	{"every call returns when its ctx is done already", "Disconnect ignores its ctx", "Disconnect has not returned", func(b *brokenConnector) {
		b.disconnect = func(context.Context, peer.Peer) error { <-slow().Done(); return nil }
	}},
	{"every call returns when its ctx is done already", "List ignores its ctx", "List has not returned", func(b *brokenConnector) {
		b.list = func(ctx context.Context) ([]peer.Peer, error) {
			if ctx.Err() != nil {
				<-slow().Done()
			}
			return b.goodConnector.List(ctx)
		}
	}},
	{"calls at once are safe", "calls at once lock up", "have not returned", func(b *brokenConnector) {
		b.disconnect = func(context.Context, peer.Peer) error { <-slow().Done(); return nil }
	}},
	{"Changes wakes when a peer comes", "Changes is silent", "did not wake", func(b *brokenConnector) {
		b.changes = make(chan struct{}, 1)
	}},
	{"Changes wakes when a peer comes", "Changes is closed", "is closed", func(b *brokenConnector) {
		b.changes = make(chan struct{})
		close(b.changes)
	}},
	{"Changes wakes when a peer goes", "Changes is silent", "did not wake", func(b *brokenConnector) {
		b.changes = make(chan struct{}, 1)
	}},
	{"Changes wakes when a peer goes", "the lost peer stays listed", "not listed after it went", func(b *brokenConnector) {
		b.list = func(ctx context.Context) ([]peer.Peer, error) {
			all, err := b.goodConnector.List(ctx)
			if err == nil && len(all) == 0 && b.Count(OpConnect) > 0 {
				all = []peer.Peer{b.Calls()[firstConnect(b.Calls())].Peer}
			}
			return all, err
		}
	}},
	{"List is an error before Run", "unknown is no peer", "unknown is not empty", func(b *brokenConnector) { b.list = b.empty }},
	{"List is an error after Run", "unknown is no peer", "unknown is not empty", func(b *brokenConnector) {
		var ran atomic.Bool
		b.run = func(ctx context.Context) error {
			ran.Store(true)
			return b.goodConnector.Run(ctx)
		}
		b.list = func(ctx context.Context) ([]peer.Peer, error) {
			if ran.Load() && !b.up.Load() {
				return b.empty(ctx)
			}
			return b.goodConnector.List(ctx)
		}
	}},
	{"no method panics before Run", "Leave panics", "Leave before Run panicked", func(b *brokenConnector) {
		b.leave = func(context.Context) error { panic("leave before start") }
	}},
	{"no method panics after Run", "Leave panics", "Leave after Run panicked", func(b *brokenConnector) {
		b.leave = func(context.Context) error { panic("leave after shutdown") }
	}},
	{"no method panics after Run", "Connect succeeds", "want an error", func(b *brokenConnector) {
		b.connect = func(ctx context.Context, p peer.Peer) error { return b.Mesh.Connect(ctx, p) }
	}},
	{"Run blocks until its ctx is done", "Run returns at once", "before its ctx was done", func(b *brokenConnector) {
		b.run = func(context.Context) error { b.up.Store(true); return nil }
	}},
	{"Run blocks until its ctx is done", "Run ignores its ctx", "has not returned", func(b *brokenConnector) {
		b.run = func(context.Context) error { return b.goodConnector.Run(slow()) }
	}},
	{"Run leaves no goroutine behind", "a goroutine stays", "goroutines are left", func(b *brokenConnector) {
		b.run = func(ctx context.Context) error {
			go func() { <-slow().Done() }()
			return b.goodConnector.Run(ctx)
		}
	}},
}

// slow returns a context that ends long after the suite has lost its patience, so that the bubble can end too.
func slow() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(4*time.Minute, cancel)
	return ctx
}

func firstConnect(all []Call) int {
	return slices.IndexFunc(all, func(c Call) bool { return c.Op == OpConnect })
}

func TestSuiteNoticesEveryDefect(t *testing.T) {
	for _, d := range defects {
		t.Run(d.check+"/"+d.name, func(t *testing.T) {
			s := subject(func(l *goodConnector) connector.Connector {
				b := &brokenConnector{goodConnector: l}
				d.do(b)
				return b
			})
			c := checkNamed(t, d.check)
			inBubble(t, s, func(t *testing.T) {
				failures := record(t, func(tb testing.TB) { c.run(newRig(tb, s)) })
				time.Sleep(time.Hour) // fake: what is slow ends, or the bubble would not
				if !strings.Contains(failures, d.want) {
					t.Errorf("the check reported %q, want something with %q", failures, d.want)
				}
			})
		})
	}
}

func TestEveryCheckHasADefectItNotices(t *testing.T) {
	for _, c := range checks() {
		if !slices.ContainsFunc(defects, func(d struct {
			check, name, want string
			do                func(*brokenConnector)
		}) bool {
			return d.check == c.name
		}) {
			t.Errorf("no defect proves that %q can fail", c.name)
		}
	}
}

func TestNilFunctionsSkipWithTheirName(t *testing.T) {
	s := subject(func(l *goodConnector) connector.Connector { return l })
	s.Peer, s.Inbound, s.Drop, s.Foreign, s.Hanging, s.Refused = nil, nil, nil, nil, nil, nil
	for check, want := range map[string]string{
		"Connect connects": "Subject.Peer is nil",
		"Changes wakes when a peer connects by itself": "Subject.Inbound is nil",
		"Changes wakes when a peer goes":               "Subject.Drop is nil",
		"Connect to another cluster is ErrForeign":     "Subject.Foreign is nil",
		"Connect returns soon after its ctx is done":   "Subject.Hanging is nil",
		"Connect to a refused address is an error":     "Subject.Refused is nil",
	} {
		c := checkNamed(t, check)
		inBubble(t, s, func(t *testing.T) {
			if got := record(t, func(tb testing.TB) { c.run(newRig(tb, s)) }); got != "skip: "+want+"\n" {
				t.Errorf("%s reported %q, want a skip with %q", check, got, want)
			}
		})
	}
}

func checkNamed(t *testing.T, name string) check {
	t.Helper()
	all := checks()
	i := slices.IndexFunc(all, func(c check) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no check %q", name)
	}
	return all[i]
}
