package serf

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/serf/serf"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

// node is a connector that runs.
type node struct {
	*Connector
	logs *lines
	stop func() // ends Run and waits for it; more than once is fine
}

// start runs a connector on a free port of 127.0.0.1, with probes that are quick, and stops it
// when the test ends.
func start(t testing.TB, name string, change func(*config)) *node {
	t.Helper()
	n := prepare(t, name, change)
	n.run(t)
	n.waitBound(t)
	return n
}

// prepare makes a connector that does not run yet.
func prepare(t testing.TB, name string, change func(*config)) *node {
	t.Helper()
	logs := &lines{}
	conf := config{
		NodeConfig: connector.NodeConfig{Cluster: "test", Name: name, Listen: "127.0.0.1:0"},
		Options:    Options{Profile: Local},
		log:        hclog.New(&hclog.LoggerOptions{Output: logs, Level: hclog.Debug}),
	}
	if change != nil {
		change(&conf)
	}
	c, err := newConnector(conf)
	if err != nil {
		t.Fatal(err)
	}
	c.node.First = 10 * time.Millisecond
	c.tune = func(s *serf.Config) {
		s.LeavePropagateDelay = 50 * time.Millisecond
		m := s.MemberlistConfig
		m.ProbeInterval, m.ProbeTimeout = 200*time.Millisecond, 100*time.Millisecond
		m.GossipInterval = 20 * time.Millisecond
		m.SuspicionMult, m.SuspicionMaxTimeoutMult = 2, 1
	}
	return &node{Connector: c, logs: logs}
}

func (n *node) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run() = %v, want the end of its ctx", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(n.stop)
}

func (n *node) waitBound(t testing.TB) {
	t.Helper()
	eventually(t, "the listener is bound", func() bool {
		_, err := n.List(t.Context())
		return err == nil
	})
}

// peer returns the node as a strategy would report it.
func (n *node) peer() peer.Peer { return peer.Peer{Addr: n.Self()[0].Addr} }

// sees waits until the node lists exactly these members.
func (n *node) sees(t *testing.T, others ...*node) {
	t.Helper()
	want := make(map[peer.Peer]bool)
	for _, o := range others {
		want[o.Self()[0]] = true
	}
	eventually(t, fmt.Sprintf("%s sees %v", n.config.Name, want), func() bool {
		got, err := n.List(t.Context())
		if err != nil || len(got) != len(want) {
			return false
		}
		for _, p := range got {
			if !want[p] {
				return false
			}
		}
		return true
	})
}

func (n *node) join(t *testing.T, p peer.Peer) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return n.Connect(ctx, p)
}

func (n *node) mustJoin(t *testing.T, p peer.Peer) {
	t.Helper()
	if err := n.join(t, p); err != nil {
		t.Fatalf("Connect(%v) = %v", p, err)
	}
}

// eventually waits for a condition. It looks again after a while; a real socket has no fake clock.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			t.Fatalf("did not happen within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// keyOf returns a key that ends in this byte.
func keyOf(t testing.TB, last byte) connector.Key {
	t.Helper()
	var k connector.Key
	if err := k.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(append(make([]byte, 31), last)))); err != nil {
		t.Fatal(err)
	}
	return k
}
