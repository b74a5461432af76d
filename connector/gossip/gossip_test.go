package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/peer"
)

func TestKeepsTheRulesOfAConnector(t *testing.T) {
	others := make(map[string]*gossip.Node) // by address
	other := func(tb testing.TB, cluster string) peer.Peer {
		tb.Helper()
		name := fmt.Sprint("other-", len(others)+1)
		n, err := gossip.Start(gossip.Config{Name: name, ClusterID: cluster, Listen: "127.0.0.1:0"})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(n.Stop)
		others[n.Addr()] = n
		return peer.Peer{Addr: n.Addr(), ID: name}
	}
	connectortest.Run(t, connectortest.Subject{
		New:     func(tb testing.TB) connector.Connector { return prepare(tb, "127.0.0.1:0") },
		Peer:    func(tb testing.TB, _ connector.Connector) peer.Peer { return other(tb, "test") },
		Foreign: func(tb testing.TB, _ connector.Connector) peer.Peer { return other(tb, "another") },
		Drop:    func(_ testing.TB, _ connector.Connector, p peer.Peer) { others[p.Addr].Stop() },
	})
}

func prepare(tb testing.TB, listen string) *Connector {
	tb.Helper()
	c, err := newConnector(gossip.Config{Name: "subject", ClusterID: "test", Listen: listen})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestAPortInUseIsTriedAgain(t *testing.T) {
	holder, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := prepare(t, holder.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() { cancel(); <-done }()
	await := func(what string, cond func(error) bool) {
		t.Helper()
		deadline := time.NewTimer(20 * time.Second)
		defer deadline.Stop()
		for {
			_, err := c.List(ctx)
			if cond(err) {
				return
			}
			select {
			case <-c.Changes():
			case <-deadline.C:
				t.Fatalf("%s: List returns %v", what, err)
			}
		}
	}
	await("while the port is taken", func(err error) bool { return err != nil && strings.Contains(err.Error(), "address already in use") })
	_ = holder.Close()
	await("when it is free", func(err error) bool { return err == nil })
}

func TestADataDirectoryInUseIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	config := gossip.Config{Name: "subject", ClusterID: "test", Listen: "127.0.0.1:0", DataDir: dir}
	holder, err := gossip.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Stop()
	if err := holder.Set(t.Context(), "role", "web"); err != nil {
		t.Fatal(err)
	}
	c, err := newConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() { cancel(); <-done }()
	await := func(cond func(error) bool) {
		t.Helper()
		for {
			_, err := c.List(ctx)
			if cond(err) {
				return
			}
			select {
			case <-c.Changes():
			case <-ctx.Done():
				t.Fatalf("List returns %v", err)
			}
		}
	}
	await(func(err error) bool { return errors.Is(err, gossip.ErrLocked) && strings.Contains(err.Error(), dir) })
	holder.Stop()
	await(func(err error) bool { return err == nil })
	if got, _ := c.Node().Get("subject", "role"); got != "web" {
		t.Errorf("the key that was kept = %q, want web", got)
	}
}

func TestTheOlderOfTwoProcessesStaysOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		config := func(name, host string) gossip.Config {
			return gossip.Config{Name: name, ClusterID: "test", Listen: host + ":1", Transport: mem.Host(host)}
		}
		older, err := newConnector(config("subject", "a"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- older.Run(ctx) }()
		defer func() { cancel(); <-done }()
		synctest.Wait()
		join := func(c gossip.Config, addr string) {
			n, err := gossip.Start(c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(n.Stop)
			if err := n.Join(ctx, addr); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		join(config("third", "b"), "a:1")
		if peers, err := older.List(ctx); len(peers) != 1 || err != nil {
			t.Fatalf("List = %v, %v, want the third node", peers, err)
		}
		join(config("subject", "c"), "b:1")
		if _, err := older.List(ctx); !errors.Is(err, gossip.ErrConflict) {
			t.Errorf("List of the older process: %v, want ErrConflict", err)
		}
		if err := older.Connect(ctx, peer.Peer{Addr: "b:1"}); !errors.Is(err, gossip.ErrConflict) {
			t.Errorf("Connect of the older process: %v, want ErrConflict", err)
		}
	})
}

func TestANodeWithAnotherKeyIsUntrusted(t *testing.T) {
	keyed := func(b byte) gossip.Config {
		psk, err := transport.NewPSK(bytes.Repeat([]byte{b}, 32))
		if err != nil {
			t.Fatal(err)
		}
		return gossip.Config{Name: fmt.Sprint("node-", b), ClusterID: "test", Listen: "127.0.0.1:0", Transport: transport.TCP{Security: psk}}
	}
	other, err := gossip.Start(keyed(1))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Stop()
	c, err := newConnector(keyed(2))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for c.Node() == nil {
		<-c.Changes()
	}
	if err := c.Connect(ctx, peer.Peer{Addr: other.Addr()}); !errors.Is(err, connector.ErrUntrusted) || errors.Is(err, connector.ErrForeign) || !strings.Contains(err.Error(), "another pre-shared key") {
		t.Errorf("Connect = %v, want ErrUntrusted and the reason", err)
	}
	if got := c.Node().Counters().Refused.Untrusted; got != 1 {
		t.Errorf("counted %d untrusted, want 1", got)
	}
}

func TestARemovedNodeStaysOutAndLogsThatOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		other, err := gossip.Start(gossip.Config{Name: "other", ClusterID: "test", Listen: "b:1", Transport: mem.Host("b")})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Stop()
		var log lockedBuffer
		subject := func(rejoin bool) (c *Connector, stop func()) {
			c, err := newConnector(gossip.Config{Name: "subject", ClusterID: "test", Listen: "a:1", Transport: mem.Host("a"), Rejoin: rejoin,
				Log: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info})})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			synctest.Wait()
			if err := c.Connect(ctx, peer.Peer{Addr: "b:1"}); err != nil && !errors.Is(err, gossip.ErrRemoved) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			return c, func() { cancel(); <-done }
		}

		c, stop := subject(false)
		if err := other.Remove(t.Context(), "subject"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, err := c.List(t.Context()); !errors.Is(err, gossip.ErrRemoved) {
			t.Errorf("List = %v, want ErrRemoved", err)
		}
		if err := c.Connect(t.Context(), peer.Peer{Addr: "b:1"}); !errors.Is(err, gossip.ErrRemoved) {
			t.Errorf("Connect = %v, want ErrRemoved", err)
		}
		if n := strings.Count(log.String(), "removed"); n != 1 {
			t.Errorf("it logged that %d times, want once:\n%s", n, &log)
		}
		stop()

		c, stop = subject(false)
		if _, err := c.List(t.Context()); !errors.Is(err, gossip.ErrRemoved) {
			t.Errorf("List after a restart = %v, want ErrRemoved", err)
		}
		stop()

		c, stop = subject(true)
		defer stop()
		if peers, err := c.List(t.Context()); len(peers) != 1 || err != nil {
			t.Errorf("List after a restart with Rejoin = %v, %v, want the other node", peers, err)
		}
	})
}

// lockedBuffer is a buffer that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestZoneAndVersionAreForOthersToReadAndGoWhenTheFileNoLongerHasThem(t *testing.T) {
	dir := t.TempDir()
	subject := func(zone, version string) (*Connector, func()) {
		t.Helper()
		c, err := Kind.New(connector.NodeConfig{Cluster: "test", Name: "subject", Listen: "127.0.0.1:0", Zone: zone, Version: version, DataDir: dir}, connector.Env{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.(*Connector).Run(ctx) }()
		for c.(*Connector).Node() == nil {
			<-c.(*Connector).Changes()
		}
		return c.(*Connector), func() { cancel(); <-done }
	}
	seen := func(addr string) (all []peer.Peer) {
		t.Helper()
		other := prepare(t, "127.0.0.1:0")
		other.config.Name = "other"
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		done := make(chan error, 1)
		go func() { done <- other.Run(ctx) }()
		defer func() { cancel(); <-done }()
		for other.Node() == nil {
			<-other.Changes()
		}
		if err := other.Connect(ctx, peer.Peer{Addr: addr}); err != nil {
			t.Fatal(err)
		}
		for len(all) == 0 && ctx.Err() == nil {
			all, _ = other.List(ctx) // it listens
		}
		return all
	}
	c, stop := subject("west", "v2")
	if got := seen(c.Node().Addr()); len(got) != 1 || got[0].Zone != "west" || got[0].Version != "v2" {
		t.Errorf("another node lists %+v, want zone and version", got)
	}
	stop()
	c, stop = subject("", "v3")
	defer stop()
	if got := seen(c.Node().Addr()); len(got) != 1 || got[0].Zone != "" || got[0].Version != "v3" {
		t.Errorf("another node lists %+v, want no zone any longer and the new version", got)
	}
}

func TestAHostAloneIsAdvertisedWithThePortListenedOn(t *testing.T) {
	c, err := Kind.New(connector.NodeConfig{Cluster: "test", Name: "subject", Listen: "127.0.0.1:0", Advertise: "127.0.0.7"}, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	g := c.(*Connector)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for g.Node() == nil {
		<-g.Changes()
	}
	_, port, err := net.SplitHostPort(g.Node().Bound())
	if want := "127.0.0.7:" + port; err != nil || g.Node().Addr() != want {
		t.Errorf("advertised as %s, want %s", g.Node().Addr(), want)
	}
}

func TestMembersThatLeftAreDistinguishedFromThoseThatAreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		run := func(name string) (c *Connector, stop func()) {
			c, err := newConnector(gossip.Config{Name: name, ClusterID: "test", Listen: name + ":7946", Transport: network.Host(name)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			stop = sync.OnceFunc(func() { cancel(); <-done })
			t.Cleanup(stop)
			synctest.Wait()
			return c, stop
		}
		a, _ := run("a")
		leaves, _ := run("leaves")
		_, crash := run("crashes")
		for _, name := range []string{"leaves", "crashes"} {
			if err := a.Connect(t.Context(), peer.Peer{Addr: name + ":7946"}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		if left := a.ListLeft(); len(left) > 0 {
			t.Errorf("ListLeft() = %v, want none yet", left)
		}
		if err := leaves.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		crash()
		time.Sleep(time.Minute)
		listed, err := a.List(t.Context())
		left := a.ListLeft()
		if err != nil || len(listed) > 0 || len(left) != 1 || left[0].ID != "leaves" {
			t.Errorf("List() = %v, %v, ListLeft() = %v, want nothing, and the one that has left", listed, err, left)
		}
	})
}
