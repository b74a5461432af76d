package integration

import (
	"syscall"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/quorumlab"
)

// frozenFor is longer than the default lease.
const frozenFor = 8 * time.Second

const defaultLease = 5 * time.Second

func TestAHolderFrozenForLongerThanItsLeaseFindsOutBeforeItActs(t *testing.T) {
	q, names := newQuorum(t, 4, quorumlab.Settings{})
	holder := without(names, q.settled(names...))[0]
	q.freeze(holder, without(names, holder))
	q.settled(names...)
}

func TestALeaderFrozenForLongerThanItsLeaseFollowsTheNextOne(t *testing.T) {
	q, names := newQuorum(t, 4, quorumlab.Settings{})
	leader := q.settled(names...)
	rest := without(names, leader)
	next := q.freeze(leader, rest)
	if now := q.settled(names...); now == leader {
		t.Errorf("%s leads after it woke, want %s or another that was awake", now, next)
	}
}

// freeze stops a node for longer than its lease, checks that the others take over its shards and keep their own, and that it has no effect under
// its old tokens. It returns who leads the others.
func (q *quorumRun) freeze(name string, rest []string) (leader string) {
	q.t.Helper()
	held := append(q.held(quorumlab.Exclusive, name), q.held(quorumlab.Fenced, name)...)
	frozen := quorumlab.Now()
	q.Signal(name, syscall.SIGSTOP)
	commit := q.write(rest[0], "while frozen", name) - frozen
	again := q.heldAgain(q.held(quorumlab.Exclusive, name)) - frozen
	q.t.Logf("%s frozen: next commit after %v, exclusive shards held again after %v", name, commit.Round(time.Millisecond), again.Round(time.Millisecond))
	if again > defaultLease+time.Second+lateness {
		q.t.Errorf("exclusive shards were held again after %v, want %v", again, defaultLease+time.Second)
	}
	leader = q.settled(rest...)
	q.undisturbed(frozen, name)
	wait(q.t, frozenFor-(quorumlab.Now()-frozen))
	q.Signal(name, syscall.SIGCONT)
	q.settled(append(rest, name)...)
	q.stopped(held, frozen+time.Second) // the signal takes its time on a busy machine
	return leader
}
