package integration

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/quorumlab"
)

func TestAllNodesAreReplacedOneByOneOnEmptyDisksWithoutAnOperator(t *testing.T) {
	q, names := newQuorum(t, 4, quorumlab.Settings{Lease: shortLease, ReplaceAfter: 2 * time.Second})
	q.settled(names...)
	q.write(names[0], "kept", "by all")
	began := quorumlab.Now()
	for i, old := range slices.Clone(names) {
		if i%2 == 0 {
			q.Terminate(old)
		} else {
			q.Kill(old)
		}
		fresh := fmt.Sprintf("m%d", i+1)
		q.StartAs(i+1, fresh)
		names = append(without(names, old), fresh)
		q.settled(names...)
		q.awaitVoters(names...)
	}
	q.reads(names[0], "kept", "by all")
	t.Logf("4 nodes replaced in %v", (quorumlab.Now() - began).Round(time.Millisecond))
}

// strayVoters describes what is missing until the voters are some of these nodes; n of them.
func (q *quorumRun) strayVoters(ctx context.Context, n int, names []string) string {
	for _, name := range names {
		s, err := q.Status(ctx, name)
		if err != nil {
			return err.Error()
		}
		if s.Role != "leader" {
			continue
		}
		for _, v := range s.Voters {
			if !slices.Contains(names, v.Name) || v.Leaving || v.Learner || v.Silent > 0 {
				return fmt.Sprintf("%s leads voters %+v", name, s.Voters)
			}
		}
		if len(s.Voters) != n || s.Changing {
			return fmt.Sprintf("%s leads %d voters, changing %v", name, len(s.Voters), s.Changing)
		}
		return ""
	}
	return "no leader"
}

func TestAThirdOfTheMembersMayLeaveAtOnce(t *testing.T) {
	q, names := newQuorum(t, 6, quorumlab.Settings{Lease: shortLease})
	leader := q.settled(names...)
	leaving := []string{leader, without(names, leader)[0]}
	rest := without(names, leaving...)
	begin := quorumlab.Now()
	q.Terminate(leaving...)
	q.settled(rest...)
	longest := q.longestGap(begin)
	t.Logf("longest time without a holder of a shard: %v", longest.Round(time.Millisecond))
	if longest > lateness {
		t.Errorf("a shard was without a holder for %v after its holder gave it up", longest)
	}
	q.awaitVoters(rest...)
}

// longestGap returns the longest time between two holders of a shard since a time.
func (q *quorumRun) longestGap(since time.Duration) (longest time.Duration) {
	for _, group := range []string{quorumlab.Exclusive, quorumlab.Fenced} {
		ended := map[int]time.Duration{}
		for _, s := range q.Spans(group) {
			if end := ended[s.Shard]; end > since {
				longest = max(longest, s.Begin-end)
			}
			ended[s.Shard] = s.End
		}
	}
	return longest
}

// maxGrowth is by how much junk may let a process grow, in KiB: a frame of 1 GB must not size an allocation.
const maxGrowth = 64 << 10

func TestJunkFromAMemberWithoutAQuorumPartHarmsNobody(t *testing.T) {
	q, names := newQuorum(t, 4, quorumlab.Settings{Lease: shortLease}, 1)
	leader := q.settled(names...)
	const plain = "plain"
	q.StartPlain(q.Lab.Hosts(), plain)
	begin := quorumlab.Now()
	before := peakMemory(t, q.PID(leader))
	for range 3 {
		for _, victim := range names {
			q.await("junk", func(ctx context.Context) string {
				if err := q.Junk(ctx, plain, victim); err != nil {
					return err.Error()
				}
				return ""
			})
		}
	}
	q.write(names[0], "after", "junk")
	if now := q.settled(names...); now != leader {
		t.Errorf("%s leads after the junk, want %s still", now, leader)
	}
	q.undisturbed(begin, plain)
	if grown := peakMemory(t, q.PID(leader)) - before; grown > maxGrowth {
		t.Errorf("junk had the leader grow by %d KiB", grown)
	}
	for _, s := range q.nodeStatus(leader).Sessions {
		if s.Member == plain {
			t.Errorf("%s has a session without a quorum part", plain)
		}
	}
}

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory returns the most memory that a process has had, in KiB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := peak.FindSubmatch(b)
	if m == nil {
		t.Fatalf("no VmHWM in %q", b)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
