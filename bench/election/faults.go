package election

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/goconvoke/convoke/bench/fabric"
	"github.com/goconvoke/convoke/bench/scenario"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum"
)

// Size of the clusters with faults.
const (
	faultMembers = 16
	faultShards  = 256
)

// settle is how long a cluster is left alone between two faults: long enough for a dead voter to be replaced.
const settle = 60 * time.Second

const convoke = "convoke"

// faults is a cluster of 16 members that loses some of them.
type faults struct {
	*convokeCluster
	rows []Row
}

// convokeFaults measures what follows the death of a member, of the leader and of the leader's host, and an orderly hand-over, with 16 members that
// share 256 shards of each level.
func convokeFaults(voters int) ([]Row, error) {
	net := fabric.New(faultMembers, rand.Uint64())
	c := &faults{convokeCluster: newConvoke(net, voters, faultMembers)}
	defer func() { net.Close(); c.close() }()
	if err := c.begin(); err != nil {
		return nil, err
	}
	for _, step := range []func() error{c.handover, c.killMember, c.killLeader, c.silenceLeader} {
		time.Sleep(settle + randomPart(time.Second))
		if err := step(); err != nil {
			return c.rows, err
		}
	}
	for i := range c.rows {
		c.rows[i].Measure = votersOf(c.rows[i].Measure, voters)
	}
	return c.rows, nil
}

func (c *faults) begin() error {
	if err := errors.Join(c.start(faultMembers), c.startQuorums()); err != nil {
		return err
	}
	err := errors.Join(
		c.work("exclusive", quorum.Settings{Count: faultShards}),
		c.work("fenced", quorum.Settings{Count: faultShards, Level: quorum.Fenced}),
		c.work("one", quorum.Settings{Count: 1}))
	if err == nil {
		err = c.allHeld()
	}
	return err
}

func (c *faults) allHeld() error {
	return errors.Join(c.holds.await("exclusive", faultShards), c.holds.await("fenced", faultShards), c.holds.await("one", 1))
}

func (c *faults) add(measure, goal string, d time.Duration) {
	c.rows = append(c.rows, seconds(measure, convoke, goal, d))
}

// handover has the holder of a single shard drain it.
func (c *faults) handover() error {
	holder := c.holds.of("one", 0)
	ctx, cancel := bounded()
	defer cancel()
	if err := c.holds.groups["one"][holder].Drain(ctx); err != nil {
		return err
	}
	if err := c.holds.await("one", 1); err != nil {
		return err
	}
	c.add("a shard handed over, between the two calls", "20 ms", c.holds.gap("one", 0))
	return nil
}

// killMember ends a member without a vote.
func (c *faults) killMember() error {
	member := slices.IndexFunc(c.quorums, func(q *quorum.Quorum) bool { s := c.status(slices.Index(c.quorums, q)); return s.Role == "none" })
	if member < 0 {
		return errors.New("every member has a vote")
	}
	begin := time.Now()
	c.net.Crash(member)
	c.end(member)
	if err := c.holds.await("fenced", faultShards); err != nil {
		return err
	}
	c.add("member killed → its 16 fenced shards held again", "250 ms", time.Since(begin))
	if err := c.holds.await("exclusive", faultShards); err != nil {
		return err
	}
	c.add(exclusiveHeld, "6 s", time.Since(begin))
	return nil
}

func (c *faults) killLeader() error { return c.loseLeader(leaderKilled, "150 ms", c.net.Crash) }

func (c *faults) silenceLeader() error { return c.loseLeader(leaderSilent, "1.5 s", c.net.Vanish) }

// loseLeader measures the next commit, and how many shards of others were disturbed.
func (c *faults) loseLeader(measure, goal string, fault func(i int)) error {
	if err := c.formed(); err != nil {
		return err
	}
	leader := c.leader()
	disturbed := c.holds.ended()
	at := slices.IndexFunc(c.quorums, func(q *quorum.Quorum) bool { i := slices.Index(c.quorums, q); return i != leader && !c.ended[i] })
	if _, err := c.commit(at); err != nil { // a write of a key that is not there yet is not sent again
		return err
	}
	fault(leader)
	c.end(leader)
	took, err := c.commit(at)
	if err != nil {
		return fmt.Errorf("%s: %w", measure, err)
	}
	c.add(measure, goal, took)
	if err := c.allHeld(); err != nil {
		return err
	}
	c.rows = append(c.rows, Row{Measure: measure + ": shards of others disturbed", Contender: convoke, Goal: "0", Unit: scenario.Count,
		Samples: []float64{float64(c.holds.ended() - disturbed)}})
	return nil
}

// convokeBirth measures the first leader of three nodes.
func convokeBirth() ([]Row, error) {
	net := fabric.New(3, rand.Uint64())
	c := newConvoke(net, 3, 3)
	defer func() { net.Close(); c.close() }()
	if err := errors.Join(c.start(3), c.startQuorums()); err != nil {
		return nil, err
	}
	err := until("all see each other", func() bool {
		return !slices.ContainsFunc(c.nodes, func(n *gossip.Node) bool { return n.View().Len() < 3 })
	})
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	err = until("the first leader", func() bool {
		return slices.ContainsFunc(c.quorums, func(q *quorum.Quorum) bool { return c.status(slices.Index(c.quorums, q)).Role == "leader" })
	})
	return []Row{seconds(firstLeader, convoke, "300 ms", time.Since(begin))}, err
}
