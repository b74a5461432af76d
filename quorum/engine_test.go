package quorum

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/gossiptest"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// testQuorum is a cluster in memory whose nodes take part in a quorum.
type testQuorum struct {
	*gossiptest.Cluster
	t   *testing.T
	all map[string]*Quorum
}

// startQuorum starts nodes and their parts in a quorum.
func startQuorum(t *testing.T, change func(*Config), names ...string) *testQuorum {
	t.Helper()
	q := &testQuorum{Cluster: gossiptest.New(t), t: t, all: map[string]*Quorum{}}
	for _, n := range q.Start(names...) {
		q.add(n, change)
	}
	return q
}

func (q *testQuorum) add(n *gossip.Node, change func(*Config)) *Quorum {
	q.t.Helper()
	log := hclog.NewNullLogger()
	if testing.Verbose() {
		log = hclog.New(&hclog.LoggerOptions{Name: n.Name(), Level: hclog.Debug, Output: logTo{q.t}})
	}
	c := Config{Node: n, Birth: Expect(3), Log: log}
	if change != nil {
		change(&c)
	}
	one, err := Start(c)
	if err != nil {
		q.t.Fatal(err)
	}
	q.all[n.Name()] = one
	q.t.Cleanup(one.Stop)
	return one
}

type logTo struct{ t *testing.T }

func (l logTo) Write(b []byte) (int, error) { l.t.Log(string(b)); return len(b), nil }

// status returns the status of a member.
func (q *testQuorum) status(name string) Status {
	q.t.Helper()
	s, err := q.all[name].Status(q.t.Context())
	if err != nil {
		q.t.Fatal(name, err)
	}
	return s
}

// awaitLeader waits until all of these members have a session at one leader, which is one of them, and returns its name.
func (q *testQuorum) awaitLeader(names ...string) string {
	q.t.Helper()
	leader := ""
	q.Wait(fmt.Sprintf("one leader at %v", names), func() bool {
		if leader = q.status(names[0]).Leader; !slices.Contains(names, leader) {
			return false
		}
		for _, n := range names {
			if s := q.status(n); s.Leader != leader || s.Session == 0 {
				return false
			}
		}
		return true
	})
	return leader
}

func TestThreeMembersElectALeaderAndAFourthFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil, "a", "b", "c")
		start := time.Now()
		q.awaitLeader("a", "b", "c")
		t.Logf("a leader after %v", time.Since(start))
		q.add(q.StartNode(gossip.Config{Name: "d"}), nil)
		leader := q.awaitLeader("a", "b", "c", "d")
		q.Crash(leader)
		q.all[leader].Stop()
		start = time.Now()
		var rest []string
		for _, n := range []string{"a", "b", "c", "d"} {
			if n != leader {
				rest = append(rest, n)
			}
		}
		q.awaitLeader(rest...)
		t.Logf("the next leader after %v", time.Since(start))
		r, err := q.all[rest[0]].request(t.Context(), core.Write{Key: "k", Value: []byte("v"), Timeout: time.Second})
		if err != nil || r.Code != core.OK {
			t.Fatalf("write: %+v, %v", r, err)
		}
		if r, err = q.all[rest[1]].request(t.Context(), core.Read{Key: "k", Timeout: time.Second}); err != nil || string(r.Value) != "v" {
			t.Fatalf("read: %+v, %v", r, err)
		}
	})
}
