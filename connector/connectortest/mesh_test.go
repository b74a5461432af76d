package connectortest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
)

var (
	a = peer.Peer{Addr: "10.0.0.1:1", ID: "a"}
	b = peer.Peer{Addr: "10.0.0.2:1", ID: "b"}
)

func TestMeshConnectsAndDrops(t *testing.T) {
	m, ctx := connectortest.NewMesh(), t.Context()
	for _, err := range []error{
		m.Connect(ctx, b), m.Connect(ctx, a), m.Connect(ctx, a),
		m.Disconnect(ctx, b), m.Disconnect(ctx, b),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m.Inbound(peer.Peer{Addr: "Host:2"})
	want := []peer.Peer{a, {Addr: "host:2"}}
	got, err := m.List(ctx)
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("List() = %v, %v, want %v", got, err, want)
	}
	m.Lose("host:2")
	if got := m.Connected(); !cmp.Equal(got, []peer.Peer{a}) {
		t.Errorf("Connected() = %v after Lose, want only %v", got, a)
	}
	for op, want := range map[string]int{connectortest.OpConnect: 3, connectortest.OpDisconnect: 2, connectortest.OpList: 1} {
		if got := m.Count(op); got != want {
			t.Errorf("Count(%q) = %d, want %d", op, got, want)
		}
	}
	if got := m.Calls()[0].Peer; got != b {
		t.Errorf("first call was for %v, want %v", got, b)
	}
}

func TestMeshFollowsItsScripts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, no := connectortest.NewMesh(), errors.New("no")
		m.Refuse(a.Addr, no)
		if err := m.Connect(t.Context(), a); !errors.Is(err, no) {
			t.Errorf("Connect to a refusing address = %v, want %v", err, no)
		}
		m.Refuse(a.Addr, nil)
		if err := m.Connect(t.Context(), a); err != nil {
			t.Errorf("Connect after the script was removed = %v", err)
		}
		m.FailDisconnect(a.Addr, no)
		if err := m.Disconnect(t.Context(), a); !errors.Is(err, no) || len(m.Connected()) != 1 {
			t.Errorf("Disconnect = %v with %v connected, want %v and no change", err, m.Connected(), no)
		}
		m.FailList(no)
		if got, err := m.List(t.Context()); !errors.Is(err, no) || got != nil {
			t.Errorf("List() = %v, %v, want only %v", got, err, no)
		}
		m.Panic(a.Addr)
		if !panics(func() { _ = m.Connect(t.Context(), a) }) || !panics(func() { _ = m.Disconnect(t.Context(), a) }) {
			t.Error("a scripted panic did not happen")
		}
	})
}

func TestMeshHangsOnFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, release := connectortest.NewMesh(), make(chan struct{})
		m.Hang(a.Addr)
		m.Stall(b.Addr, release)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.AfterFunc(time.Minute, func() { close(release) })

		start := time.Now()
		if err := m.Connect(ctx, a); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Connect to a hanging address = %v after %v, want the deadline after 1s", err, time.Since(start))
		}
		if err := m.Connect(ctx, b); err != nil || time.Since(start) != time.Minute {
			t.Errorf("Connect to an address that hangs = %v after %v, want success after 1m", err, time.Since(start))
		}
	})
}

func TestMeshWakesOnEveryChangeOnce(t *testing.T) {
	m := connectortest.NewMesh()
	woken := func() bool {
		select {
		case <-m.Changes():
			return true
		default:
			return false
		}
	}
	m.Inbound(a)
	m.Inbound(b)
	if !woken() || woken() {
		t.Error("two changes must be one wake-up")
	}
	_ = m.Connect(t.Context(), a)
	if woken() {
		t.Error("a Connect that changed nothing woke the reader")
	}
	m.Lose(a.Addr)
	if !woken() {
		t.Error("a lost connection did not wake the reader")
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}
