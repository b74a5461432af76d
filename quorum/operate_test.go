package quorum

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/gossiptest"
)

// durable has each member keep its log on a disk.
func durable(dir string) func(*Config) {
	return func(c *Config) { c.DataDir = filepath.Join(dir, c.Node.Name()) }
}

// put writes a key of the map.
func (q *testQuorum) put(name, key, value string) {
	q.t.Helper()
	if _, err := q.all[name].Map().Set(q.t.Context(), key, value); err != nil {
		q.t.Fatalf("%s sets %s: %v", name, key, err)
	}
}

// wantValue waits until a member reads a value of the map.
func (q *testQuorum) wantValue(name, key, value string) {
	q.t.Helper()
	q.Wait(name+" reads "+key, func() bool {
		ctx, cancel := context.WithTimeout(q.t.Context(), time.Second)
		defer cancel()
		e, err := q.all[name].Map().Get(ctx, key)
		return err == nil && e.Value == value
	})
}

func TestAllVotersRestartAndHaveTheirLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		q := startQuorum(t, durable(dir), "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		q.put("b", "k", "v")
		birth, voters := q.status("a").Birth, q.status("a").Voters
		for _, name := range []string{"a", "b", "c"} {
			q.all[name].Stop()
			q.Crash(name)
		}
		for _, name := range []string{"a", "b", "c"} {
			q.add(q.Restart(name), durable(dir))
		}
		q.WaitTogether()
		q.awaitLeader("a", "b", "c")
		q.wantValue("c", "k", "v")
		after := q.status("a")
		if after.Birth != birth || len(after.Voters) != 3 || after.Voters[0].ID != voters[0].ID {
			t.Errorf("birth %q with voters %v, want %q with %v", after.Birth, after.Voters, birth, voters)
		}
	})
}

func TestAVoterThatLostItsDiskComesBackAsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		q := startQuorum(t, durable(dir), "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		before := q.status("a").Voters
		q.all["b"].Stop()
		q.Crash("b")
		q.add(q.Restart("b"), durable(t.TempDir()))
		q.WaitTogether()
		q.Wait("b votes under another identity", func() bool {
			s := q.status("a")
			for _, v := range s.Voters {
				for _, o := range before {
					if v.Name == "b" && o.Name == "b" && v.ID != o.ID && !v.Learner && !s.Changing && len(s.Voters) == 3 {
						return true
					}
				}
			}
			return false
		})
		q.put("b", "k", "v")
	})
}

func TestAMemberThatLeavesHandsOverItsVote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil, "a", "b", "c", "d")
		leader := q.awaitLeader("a", "b", "c", "d")
		time.Sleep(15 * time.Second) // the fourth can vote once it was up for 10 s
		if err := q.all[leader].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := q.all[leader].Leave(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("Leave again = %v", err)
		}
		var rest []string
		for _, name := range []string{"a", "b", "c", "d"} {
			if name != leader {
				rest = append(rest, name)
			}
		}
		q.awaitLeader(rest...)
		for _, v := range q.status(rest[0]).Voters {
			if v.Name == leader {
				t.Errorf("%s left and still is a voter: %+v", leader, v)
			}
		}
		if _, err := q.all[leader].Status(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("status after the end = %v", err)
		}
	})
}

func TestTransferMovesLeadershipFromAnyMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil, "a", "b", "c", "d")
		old := q.awaitLeader("a", "b", "c", "d")
		var to string
		for _, v := range q.status(old).Voters {
			if v.Name != old {
				to = v.Name
			}
		}
		if err := q.all["d"].Transfer(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		q.Wait(to+" leads", func() bool { return q.status("d").Leader == to && q.status(to).Role == "leader" })
		if err := q.all["a"].Transfer(t.Context(), "stranger"); !errors.Is(err, ErrNotFound) {
			t.Errorf("transfer to a name that does not vote = %v", err)
		}
	})
}

func TestAMemberThatStartsAgainWithoutADiskHasOneSessionThatIsNotOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil, "a", "b", "c", "d")
		q.awaitLeader("a", "b", "c", "d")
		q.all["d"].Stop()
		q.Crash("d")
		q.add(q.Restart("d"), nil)
		q.Wait("d has two sessions", func() bool { return len(q.status("a").Sessions) == 5 })
		var present []uint64
		for _, s := range q.status("a").Sessions {
			if s.Member == "d" && !s.Old {
				present = append(present, s.ID)
			}
		}
		q.awaitLeader("a", "b", "c", "d")
		if own := q.status("d").Session; len(present) != 1 || present[0] != own {
			t.Errorf("sessions %v of d are not old, want %d alone", present, own)
		}
		q.Wait("the old session has ended", func() bool { return len(q.status("a").Sessions) == 4 })
	})
}

func TestAQuorumThatIsLostForGoodIsRecoveredByOneMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil, "a", "b", "c", "d")
		q.awaitLeader("a", "b", "c", "d")
		q.put("a", "k", "v")
		var survivor string
		lost := map[string]bool{}
		for _, v := range q.status("a").Voters {
			if survivor == "" {
				survivor = v.Name
				continue
			}
			lost[v.Name] = true
		}
		if err := q.all[survivor].Recover(t.Context(), false); !errors.Is(err, ErrMajority) {
			t.Fatalf("Recover of a quorum that works = %v", err)
		}
		for name := range lost {
			q.all[name].Stop()
			q.Crash(name)
		}
		q.Wait("the survivor knows that the others are lost", func() bool {
			return strings.Contains(q.status(survivor).Why, "1 of 3 voters can be reached")
		})
		if err := q.all[survivor].Recover(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		var rest []string
		for _, name := range []string{"a", "b", "c", "d"} {
			if !lost[name] {
				rest = append(rest, name)
			}
		}
		q.awaitLeader(rest...)
		for _, name := range rest {
			q.wantValue(name, "k", "v")
		}
		q.Wait("both are of one birth, and there is no conflict any more", func() bool {
			a, b := q.status(rest[0]), q.status(rest[1])
			return a.Birth == b.Birth && a.Conflict == "" && b.Conflict == ""
		})
	})
}

func TestTwoBirthsThatMeetBecomeTheEarlierOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(epoch.Add(24 * time.Hour))) // a bubble begins in the year 2000
		q := &testQuorum{Cluster: gossiptest.New(t), t: t, all: map[string]*Quorum{}}
		q.Start("a", "b", "c", "x", "y", "z")
		q.Partition([]string{"a", "b", "c"}, []string{"x", "y", "z"})
		q.WaitUp("a", "a", "b", "c")
		q.WaitUp("x", "x", "y", "z")
		for _, names := range [][]string{{"a", "b", "c"}, {"x", "y", "z"}} {
			for _, name := range names {
				q.add(q.Node(name), nil)
			}
			q.awaitLeader(names...)
		}
		q.put("a", "k", "early")
		q.put("x", "k", "late")
		early := q.status("a").Birth
		if q.status("x").Birth == early {
			t.Fatal("one birth across a partition")
		}
		q.Heal()
		q.awaitLeader("a", "b", "c", "x", "y", "z")
		for name := range q.all {
			q.wantValue(name, "k", "early")
			if s := q.status(name); s.Birth != early {
				t.Errorf("%s is of birth %q, want %q", name, s.Birth, early)
			}
		}
	})
}

func TestABrokenContractEndsTheQuorumAndNotTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil, "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		ended := make(chan error, 1)
		go func() {
			ended <- q.all["b"].Lead(t.Context(), "job", func(ctx context.Context, _ Hold) error {
				q.all["b"].life.Load().fail(errBroken)
				<-ctx.Done()
				return context.Cause(ctx)
			})
		}()
		if err := <-ended; !errors.Is(err, ErrStopped) {
			t.Errorf("Lead = %v", err)
		}
		<-q.all["b"].Done()
		if err := q.all["b"].Err(); !errors.Is(err, errBroken) {
			t.Errorf("Err = %v", err)
		}
		q.WaitTogether()
		q.awaitLeader("a", "c")
	})
}

func TestMembersWithoutAQuorumStayMembersAndHoldNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil, "a", "b", "c")
		q.StartNode(gossip.Config{Name: "plain"})
		q.WaitTogether()
		q.awaitLeader("a", "b", "c")
		for _, s := range q.status("a").Sessions {
			if s.Member == "plain" {
				t.Errorf("a session of a member without a quorum: %+v", s)
			}
		}
	})
}

func TestJunkOnAStreamEndsThatStreamAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil, "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		evil := q.StartNode(gossip.Config{Name: "evil"})
		q.WaitTogether()
		for name, junk := range map[string][]byte{"junk": []byte("GET / HTTP/1.1\r\n\r\n"), "half a frame": {0, 0, 0, 9, 1, 2}, "a gigabyte": binary.BigEndian.AppendUint32(nil, 1<<30)} {
			conn, err := evil.Dial(t.Context(), "a", protocol)
			if err != nil {
				t.Fatal(name, err)
			}
			if _, err := conn.Write(junk); err != nil {
				t.Fatal(name, err)
			}
			if name == "half a frame" {
				_ = conn.Close()
				continue
			}
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: the stream was not closed: %v", name, err)
			}
		}
		q.awaitLeader("a", "b", "c")
		q.put("a", "k", "v")
	})
}

func TestConfigErrorsNameTheSetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := gossiptest.New(t).Start("a")[0]
		for want, c := range map[string]Config{
			"no node":                              {Birth: Expect(1)},
			"voters 4":                             {Node: n, Birth: Expect(1), Voters: 4},
			"lease 500ms":                          {Node: n, Birth: Expect(1), Lease: 500 * time.Millisecond},
			"use Expect, Founders or Arbitrated":   {Node: n},
			"expect 300":                           {Node: n, Birth: Expect(300)},
			`founders ["a" "a"]: a name is given`:  {Node: n, Birth: Founders("a", "a")},
			`eligible "["`:                         {Node: n, Birth: Expect(1), Eligible: []string{"["}},
			`founder "b": not eligible as a voter`: {Node: n, Birth: Founders("b"), Eligible: []string{"a*"}},
			"replace_after 1ms: want 1s or more":   {Node: n, Birth: Expect(1), ReplaceAfter: time.Millisecond},
		} {
			if _, err := Start(c); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
		}
		q, err := Start(Config{Node: n, Birth: Expect(1), Voters: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Stop()
		if _, err := Start(Config{Node: n, Birth: Expect(1)}); !errors.Is(err, gossip.ErrProtocolInUse) {
			t.Errorf("a second quorum on one node: %v", err)
		}
	})
}
