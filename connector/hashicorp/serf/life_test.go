package serf

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/serf/serf"

	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
	"github.com/goconvoke/convoke/peer"
)

// hole accepts and never answers.
func hole(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// tuned makes a connector whose serf is changed further before it starts.
func tuned(t *testing.T, name string, change func(*serf.Config)) *node {
	t.Helper()
	n := prepare(t, name, nil)
	usual := n.tune
	n.tune = func(c *serf.Config) {
		usual(c)
		change(c)
	}
	n.run(t)
	n.waitBound(t)
	return n
}

// Several silent addresses must hold up neither a join through another nor the end of Run.
func TestSilentAddressesDelayNoOther(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	called := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 {
		silent := hole(t)
		go func() { called <- a.Connect(ctx, peer.Peer{Addr: silent.Addr().String()}) }()
		if _, err := silent.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	a.mustJoin(t, b.peer())
	if took := time.Since(begin); took > mlnet.TCPTimeout/2 {
		t.Errorf("Connect took %v beside silent addresses", took)
	}
	cancel()
	for range 3 {
		if err := <-called; !errors.Is(err, context.Canceled) {
			t.Errorf("Connect to a silent address = %v, want its cancellation", err)
		}
	}
}

// A node that falls silent after its first answer keeps the announcement of one join; the others go on.
func TestAnAnnouncementHoldsUpNoOtherJoin(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	u := a.node.Cluster().(*underneath)
	u.announcing.Lock()
	defer u.announcing.Unlock()
	a.mustJoin(t, b.peer())
	a.sees(t, b)
	b.sees(t, a)
}

func TestStopEndsAConnectToASilentAddress(t *testing.T) {
	silent := hole(t)
	a := start(t, "a", nil)
	called := make(chan error, 1)
	go func() { called <- a.Connect(context.Background(), peer.Peer{Addr: silent.Addr().String()}) }()
	if _, err := silent.Accept(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	a.stop()
	if took := time.Since(begin); took > mlnet.TCPTimeout/2 {
		t.Errorf("Run ended after %v, want it at once", took)
	}
	if err := <-called; err == nil {
		t.Error("Connect succeeded")
	}
}

func TestLeaveIsBoundedByItsContext(t *testing.T) {
	a := start(t, "a", nil)
	b := tuned(t, "b", func(c *serf.Config) { c.LeavePropagateDelay = time.Second })
	b.mustJoin(t, a.peer())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := b.Leave(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Leave = %v, want its deadline", err)
	}
	if took := time.Since(begin); took > time.Second/2 {
		t.Errorf("Leave returned after %v, want soon after its deadline", took)
	}
	b.stop() // waits for the announcement: neither panics
	a.sees(t)
}

func TestLeaveEndsWhenNoMemberConfirms(t *testing.T) {
	a := start(t, "a", nil)
	b := tuned(t, "b", func(c *serf.Config) {
		c.BroadcastTimeout = 100 * time.Millisecond
		c.MemberlistConfig.GossipInterval, c.MemberlistConfig.ProbeInterval = time.Hour, time.Hour // it sends nothing
	})
	b.mustJoin(t, a.peer())
	begin := time.Now()
	if err := b.Leave(t.Context()); err != nil {
		t.Errorf("Leave = %v, want nil: it did what it could", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("Leave took %v", took)
	}
}

func TestLeaveWithoutARunIsNothing(t *testing.T) {
	n := prepare(t, "a", nil)
	if err := n.Leave(context.Background()); err != nil {
		t.Errorf("Leave before Run = %v, want nil", err)
	}
}

func TestRunsAgainAfterItEnded(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	if err := a.Run(t.Context()); !errors.Is(err, mlnet.ErrRunning) {
		t.Errorf("a second Run = %v, want %v", err, mlnet.ErrRunning)
	}
	a.stop()
	if _, err := a.List(t.Context()); !errors.Is(err, mlnet.ErrNotRunning) {
		t.Errorf("List after the end = %v, want %v", err, mlnet.ErrNotRunning)
	}
	if a.Serf() != nil {
		t.Error("Serf() is not nil after the end")
	}
	a.run(t)
	a.waitBound(t)
	a.mustJoin(t, b.peer())
	a.sees(t, b)
}

func TestAMemberThatLeftIsListedAsSuchAndOneThatCrashedIsNot(t *testing.T) {
	a, leaves, crashes := start(t, "a", nil), start(t, "leaves", nil), start(t, "crashes", nil)
	leaves.mustJoin(t, a.peer())
	crashes.mustJoin(t, a.peer())
	a.sees(t, crashes, leaves)
	if err := leaves.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	crashes.stop()
	a.sees(t)
	if left := a.ListLeft(); len(left) != 1 || left[0].ID != "leaves" {
		t.Errorf("ListLeft() = %v, want the member that left", left)
	}
}
