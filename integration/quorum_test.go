package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/lab"
	"github.com/goconvoke/convoke/integration/quorumlab"
	"github.com/goconvoke/convoke/quorum"
)

const (
	shortLease = 2 * time.Second
	// lateness is what a busy machine may add to a time that a quorum promises.
	lateness = 4 * time.Second
	// fencedWithin is when the shards of a killed member are held again in a fenced group.
	fencedWithin = 250 * time.Millisecond
)

// quorumRun is a cluster of one test.
type quorumRun struct {
	*quorumlab.Cluster
	t *testing.T
}

// newQuorum starts a node in each of so many hosts of a lab; the quorum is founded when all see each other, so that each holds some shards. The lab
// may have more hosts.
func newQuorum(t *testing.T, hosts int, s quorumlab.Settings, more ...int) (q *quorumRun, names []string) {
	t.Helper()
	t.Parallel()
	s.Expect = hosts
	q = &quorumRun{quorumlab.New(t, lab.New(t, hosts+len(more)), s), t}
	q.Start(to(hosts)...)
	for _, i := range to(hosts) {
		names = append(names, node(i))
	}
	return q, names
}

func node(host int) string { return fmt.Sprintf("n%d", host) }

// await waits until a condition holds; problem describes what is missing.
func (q *quorumRun) await(what string, holds func(ctx context.Context) (problem string)) {
	q.t.Helper()
	ctx, cancel := context.WithTimeout(q.t.Context(), quorumlab.Within)
	defer cancel()
	problem := ""
	err := q.Await(ctx, func() bool {
		if p := holds(ctx); p == "" || ctx.Err() == nil {
			problem = p
		}
		return problem == ""
	})
	if err != nil {
		q.t.Fatalf("%s: %v: %s", what, err, problem)
	}
}

// settled waits until these nodes have sessions at one leader, which is one of them, and hold all shards; it returns the leader.
func (q *quorumRun) settled(names ...string) (leader string) {
	q.t.Helper()
	q.await("settled", func(ctx context.Context) (lacks string) {
		leader, lacks = q.commonLeader(ctx, names)
		switch {
		case lacks != "":
			return lacks
		case !slices.Contains(names, leader):
			return fmt.Sprintf("the leader is %q", leader)
		}
		return q.unheld(names)
	})
	return leader
}

// commonLeader returns the one leader at which all these nodes have sessions, or what is missing.
func (q *quorumRun) commonLeader(ctx context.Context, names []string) (leader, lacks string) {
	for _, n := range names {
		s, err := q.Status(ctx, n)
		switch {
		case err != nil:
			return "", err.Error()
		case s.Leader == "" || s.Session == 0 || leader != "" && s.Leader != leader:
			return "", fmt.Sprintf("%s has leader %q and session %d: %s", n, s.Leader, s.Session, s.Why)
		}
		leader = s.Leader
	}
	return leader, ""
}

// unheld describes the shards that none of these nodes works on, "" if there are none.
func (q *quorumRun) unheld(names []string) string {
	for _, group := range []string{quorumlab.Exclusive, quorumlab.Fenced} {
		holders := q.Holders(group)
		for shard := range quorumlab.Shards {
			if h, ok := holders[shard]; !ok || !slices.Contains(names, h.Node) {
				return fmt.Sprintf("%s shard %d is not held by any of %v", group, shard, names)
			}
		}
	}
	return ""
}

// held returns what a node works on in a group.
func (q *quorumRun) held(group, name string) (spans []quorumlab.Span) {
	for _, s := range q.Holders(group) {
		if s.Node == name {
			spans = append(spans, s)
		}
	}
	return spans
}

// heldAgain waits until other nodes work on what a node worked on, and returns when the last of it began.
func (q *quorumRun) heldAgain(lost []quorumlab.Span) (last time.Duration) {
	q.t.Helper()
	if len(lost) == 0 {
		q.t.Fatal("the node held nothing, so this shows nothing")
	}
	q.await("held again", func(context.Context) string {
		last = 0
		holders := q.Holders(lost[0].Group)
		for _, s := range lost {
			h, ok := holders[s.Shard]
			if !ok || h.Token == s.Token {
				return fmt.Sprintf("%s shard %d of %s is not held again", s.Group, s.Shard, s.Node)
			}
			last = max(last, h.Begin)
		}
		return ""
	})
	return last
}

// undisturbed checks that work of other nodes that went on at a time has not ended since.
func (q *quorumRun) undisturbed(at time.Duration, except string) {
	q.t.Helper()
	for _, group := range []string{quorumlab.Exclusive, quorumlab.Fenced} {
		for _, s := range q.Spans(group) {
			if s.Node != except && s.Begin < at && s.End > at {
				q.t.Errorf("%s shard %d of %s was disturbed %v after %s was lost", group, s.Shard, s.Node, s.End-at, except)
			}
		}
	}
}

// stopped checks that a node had no effect under these tokens after a time.
func (q *quorumRun) stopped(spans []quorumlab.Span, by time.Duration) {
	q.t.Helper()
	for _, was := range spans {
		for _, s := range q.Spans(was.Group) {
			if s.Node == was.Node && s.Token == was.Token && s.Last > by {
				q.t.Errorf("%s shard %d: %s acted under token %d until %v after it had to stop", s.Group, s.Shard, s.Node, s.Token, s.Last-by)
			}
		}
	}
}

// nodeStatus returns what a node knows.
func (q *quorumRun) nodeStatus(name string) quorum.Status {
	q.t.Helper()
	ctx, cancel := context.WithTimeout(q.t.Context(), quorumlab.Within)
	defer cancel()
	s, err := q.Status(ctx, name)
	if err != nil {
		q.t.Fatal(err)
	}
	return s
}

// write writes a key at a node and returns when that was done. Failures are tried again.
func (q *quorumRun) write(name, key, value string) (done time.Duration) {
	q.t.Helper()
	q.await("a write at "+name, func(ctx context.Context) string {
		if _, err := q.Set(ctx, name, key, value); err != nil {
			return err.Error()
		}
		done = quorumlab.Now()
		return ""
	})
	return done
}

// reads checks the value of a key at a node.
func (q *quorumRun) reads(name, key, want string) {
	q.t.Helper()
	q.await("a read at "+name, func(ctx context.Context) string {
		e, err := q.Get(ctx, name, key)
		if err == nil && e.Value != want {
			q.t.Fatalf("%s reads %q = %q, want %q", name, key, e.Value, want)
		}
		if err != nil {
			return err.Error()
		}
		return ""
	})
}

// noLeader waits until a node knows no leader, holds no lease, and states why in one of these ways. It takes the membership some seconds to
// judge the others down; until then a node only knows that no leader is elected.
func (q *quorumRun) noLeader(name string, because ...string) {
	q.t.Helper()
	q.await("no leader at "+name, func(ctx context.Context) string {
		s, err := q.Status(ctx, name)
		if err != nil {
			return err.Error()
		}
		stated := slices.ContainsFunc(because, func(b string) bool { return strings.Contains(s.Why, b) })
		if s.Leader != "" || s.Lease > 0 || !stated {
			return fmt.Sprintf("leader %q, lease %v, because %q, want one of %q", s.Leader, s.Lease, s.Why, because)
		}
		return ""
	})
}

// without returns names but some.
func without(names []string, gone ...string) (rest []string) {
	for _, n := range names {
		if !slices.Contains(gone, n) {
			rest = append(rest, n)
		}
	}
	return rest
}

// hostOf returns the host of a node that [quorumlab.Cluster.Start] started.
func hostOf(t *testing.T, name string) (host int) {
	t.Helper()
	if _, err := fmt.Sscanf(name, "n%d", &host); err != nil {
		t.Fatal(err)
	}
	return host
}
