package cluster_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
)

// leaving is a connector that reports which peers have left.
type leaving struct {
	*connectortest.Mesh

	mu   sync.Mutex
	left []peer.Peer
}

func (l *leaving) ListLeft() []peer.Peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left
}

// leave has a peer leave: it is no longer listed.
func (l *leaving) leave(addr string) {
	l.mu.Lock()
	l.left = append(l.left, peer.Peer{Addr: addr + ":7946"})
	l.mu.Unlock()
	l.Lose(addr + ":7946")
}

// removing is a connector that gossips and reports which peers were removed.
type removing struct {
	*connectortest.Mesh

	mu      sync.Mutex
	removed []string
}

func (r *removing) ListRemoved() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.removed)
}

// remove removes peers: they are no longer listed, and refuse connections.
func (r *removing) remove(peers ...peer.Peer) {
	r.mu.Lock()
	for _, p := range peers {
		r.removed = append(r.removed, p.ID)
	}
	r.mu.Unlock()
	for _, p := range peers {
		r.Refuse(p.Addr, errors.New("connection refused"))
		r.Lose(p.Addr)
	}
}

func addrsOf(events []cluster.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, strings.TrimSuffix(e.Topology+"/"+e.Peer.Addr, ":7946"))
	}
	return strings.Join(all, " ")
}

func TestThatAPeerThatLeftCannotBeReachedIsNoWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := &leaving{Mesh: connectortest.NewMesh()}, &script{}
		var log bytes.Buffer
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), Expect: 3}), cluster.WithConnector("mesh", mesh),
			cluster.WithLogger(hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Warn})))
		events := watch(t, s)
		source.run(t, 1).set("a", "b")
		settle(time.Minute)
		mesh.Refuse("a:7946", errors.New("connection refused"))
		mesh.Refuse("b:7946", errors.New("connection refused"))
		mesh.leave("a")
		mesh.Lose("b:7946")
		settle(20 * time.Second)
		if failed := addrsOf(events.of(cluster.EventDialFailed)); !strings.Contains(failed, "t/a") || !strings.Contains(failed, "t/b") {
			t.Errorf("dials failed to %q, want both", failed)
		}
		if text := log.String(); !strings.Contains(text, "cannot be reached; they are dialled again: topology=t count=1 peers=b:7946") ||
			strings.Contains(text, "a:7946") {
			t.Errorf("the log has\n%s\nwant a warning about b, which did not leave, and none about a", text)
		}
	})
}

func TestThatTheOldAddressOfAPeerThatIsBackCannotBeReachedIsNoWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		mesh.Hang("old:7946")
		var log bytes.Buffer
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh),
			cluster.WithLogger(hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Warn})))
		events := watch(t, s)
		source.run(t, 1).out.Set([]peer.Peer{{ID: "a", Addr: "old:7946"}})
		settle(time.Second)
		mesh.Inbound(peer.Peer{ID: "a", Addr: "new:7946"})
		settle(time.Minute)
		if failed := addrsOf(events.of(cluster.EventDialFailed)); failed != "t/old" {
			t.Errorf("dials failed to %q, want the one that began before the peer was back", failed)
		}
		if text := log.String(); text != "" {
			t.Errorf("the log has\n%s\nand the peer is connected", text)
		}
	})
}

func TestAPeerThatLeftIsNotReportedAsOneThatIsDown(t *testing.T) {
	for _, c := range []struct {
		name              string
		gossips           bool
		wantLost, wantOff string // topology/peer
	}{
		{"of a mesh", false, "t/a", "t/b"},
		{"of a connector that gossips, also when no answer names it", true, "t/a /c", "t/b /d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mesh, source := &leaving{Mesh: connectortest.NewMesh()}, &script{}
				mesh.Gossip = c.gossips
				var log bytes.Buffer
				s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), Expect: 3}), cluster.WithConnector("mesh", mesh),
					cluster.WithLogger(hclog.New(&hclog.LoggerOptions{Output: &log})))
				events := watch(t, s)
				source.run(t, 1).set("a", "b", "e")
				for _, addr := range []string{"c", "d"} { // as if they had called this node
					if err := mesh.Connect(t.Context(), peer.Peer{Addr: addr + ":7946"}); err != nil {
						t.Fatal(err)
					}
				}
				settle(time.Minute)
				for _, addr := range []string{"a:7946", "b:7946"} {
					mesh.Hang(addr) // it does not come back
				}
				mesh.Lose("a:7946")
				settle(time.Second)
				mesh.leave("b")
				settle(time.Second)
				mesh.Lose("c:7946")
				settle(time.Second)
				mesh.leave("d")
				settle(time.Second)
				lost, left := addrsOf(events.of(cluster.EventPeerLost)), addrsOf(events.of(cluster.EventPeerLeft))
				if lost != c.wantLost || left != c.wantOff {
					t.Errorf("lost %q, left %q, want %q and %q", lost, left, c.wantLost, c.wantOff)
				}
				if why := s.Status().Topologies[0].Why; !c.gossips && !strings.Contains(why, "b:7946 left at ") {
					t.Errorf("the status reads %q, want that b has left", why)
				}
				settle(time.Minute)
				if text := log.String(); !strings.Contains(text, "peers have left: topology=t count=1 peers=b:7946") ||
					!strings.Contains(text, "peers are down or unreachable: topology=t count=1 peers=a:7946") {
					t.Errorf("the log lacks who left or who is down:\n%s", text)
				}
			})
		})
	}
}

func TestAPeerThatWasRemovedIsNotMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := &removing{Mesh: connectortest.NewMesh()}, &script{}
		mesh.Gossip = true
		var log bytes.Buffer
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), Expect: 4}), cluster.WithConnector("mesh", mesh),
			cluster.WithLogger(hclog.New(&hclog.LoggerOptions{Output: &log})))
		events := watch(t, s)
		source.run(t, 1).set("a", "b", "c") // which have no IDs in the answers
		a, b := peer.Peer{ID: "node-a", Addr: "a:7946"}, peer.Peer{ID: "node-b", Addr: "b:7946"}
		for _, p := range []peer.Peer{a, b, {ID: "node-c", Addr: "c:7946"}} {
			mesh.Inbound(p)
		}
		settle(time.Minute)
		mesh.remove(a)
		settle(time.Minute)
		status := s.Status().Topologies[0]
		if status.Whole || len(status.Missing) != 0 || len(status.Removed) != 1 || status.Removed[0].ID != "node-a" {
			t.Errorf("whole %v, missing %v, removed %v, want the one that was removed", status.Whole, status.Missing, status.Removed)
		}
		const want = "3 peers found; 3 of 4 nodes are together; node-a@a:7946 was removed: start another node, or lower expect"
		if !strings.HasSuffix(status.Why, want) {
			t.Errorf("why = %s\nwant %s", status.Why, want)
		}
		source.run(t, 1).set("a", "b", "c")
		settle(2 * time.Hour) // longer than peers that are only down are remembered
		source.run(t, 1).set("a", "b", "c")
		settle(time.Second)
		if why := s.Status().Topologies[0].Why; !strings.HasSuffix(why, want) {
			t.Errorf("two hours later: %s", why)
		}
		mesh.Refuse("b:7946", errors.New("no route to host"))
		mesh.Lose("b:7946")
		settle(time.Minute)
		if why := s.Status().Topologies[0].Why; !strings.Contains(why, "no route to host") || !strings.Contains(why, "; node-b@b:7946 is down since ") ||
			!strings.HasSuffix(why, ", node-a@a:7946 was removed: start another node, or lower expect") || strings.Contains(why, "connection refused") {
			t.Errorf("with another one down: %s", why)
		}
		if lost, removed := addrsOf(events.of(cluster.EventPeerLost)), addrsOf(events.of(cluster.EventPeerRemoved)); lost != "t/b" || removed != "t/a" {
			t.Errorf("lost %q, removed %q, want b and a", lost, removed)
		}
		if text := log.String(); !strings.Contains(text, "peers were removed from the cluster: topology=t count=1 peers=a:7946") || strings.Contains(text, "cannot be reached; they are dialled again: topology=t count=1 peers=a:7946") {
			t.Errorf("the log has\n%s", text)
		}
	})
}
