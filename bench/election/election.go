// Package election measures quorum of this project beside hashicorp/raft and the election of etcd: how long no member leads after
// the leader died, fell silent or left, and what a commit and an idle member cost. What can be is measured on a virtual clock and the fabric, so that a
// busy machine does not change the figures; disks and etcd have the real clock.
package election

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goconvoke/convoke/bench/scenario"
)

// Row is one measure of one contender.
type Row struct {
	Measure   string
	Contender string
	Goal      string // of convoke; "" of others
	Unit      scenario.Unit
	Real      bool // on the real clock: a busy machine changes it
	Samples   []float64
}

// Play is one run of one contender with a fresh cluster; it returns one sample of each measure that it has.
type Play struct {
	Name    string
	Virtual bool // it must run in a bubble of testing/synctest
	Runs    int
	Run     func() ([]Row, error)
}

// Plays returns everything that is measured: runs plays of what is cheap on the virtual clock, fewer of the rest.
func Plays(runs int) []Play {
	var plays []Play
	add := func(name string, virtual bool, runs int, run func() ([]Row, error)) {
		plays = append(plays, Play{name, virtual, runs, run})
	}
	for _, voters := range []int{3, 5} {
		add(fmt.Sprintf("convoke, %d voters", voters), true, runs, func() ([]Row, error) { return convokeFaults(voters) })
		add(fmt.Sprintf("hashicorp/raft, %d voters", voters), true, runs, func() ([]Row, error) { return raftFaults(voters, 1) })
		add(fmt.Sprintf("hashicorp/raft ÷ 10, %d voters", voters), true, runs, func() ([]Row, error) { return raftFaults(voters, 10) })
	}
	add("convoke, birth", true, runs, convokeBirth)
	add("convoke, idle", true, 1, convokeIdle)
	add("convoke, cost", false, 1, convokeCost)
	add("convoke, disk", false, 3, convokeRates)
	add("convoke, grants", false, 3, convokeGrants)
	add("hashicorp/raft, disk", false, 3, raftRates)
	for _, ttl := range []int{5, 2} {
		add(fmt.Sprintf("etcd, TTL %d s", ttl), false, 1, func() ([]Row, error) { return etcdFailover(ttl, max(runs/4, 1)) })
	}
	for _, lease := range []time.Duration{15 * time.Second, 5 * time.Second} {
		add(fmt.Sprintf("client-go, lease %v", lease), false, 1, func() ([]Row, error) { return kubernetesFailover(lease, max(runs/4, 1)) })
	}
	add("convoke, assignment", false, 1, convokeAssignments)
	add("other assignments", false, 1, libraryAssignments)
	return plays
}

// Measures that several contenders have.
const (
	leaderKilled  = "leader killed → next commit"
	leaderSilent  = "leader's host silent → next commit"
	firstLeader   = "all of 3 see each other → first leader"
	exclusiveHeld = "member killed → its 16 exclusive shards held again (lease 5 s)"
	singleWrites  = "commits one after the other, 3 voters on one disk"
	manyWrites    = "commits of 64 writers, 3 voters on one disk"
)

// within bounds each wait of a play, by its clock.
const within = 2 * time.Minute

// poll is how often the virtual clock looks at what cannot be waited for.
const poll = time.Millisecond

// until waits until a condition holds, on the virtual clock.
func until(what string, holds func() bool) error {
	for start := time.Now(); !holds(); time.Sleep(poll) {
		if time.Since(start) > within {
			return fmt.Errorf("%s: not within %v", what, within)
		}
	}
	return nil
}

func seconds(measure, contender, goal string, d time.Duration) Row {
	return Row{Measure: measure, Contender: contender, Goal: goal, Unit: scenario.Seconds, Samples: []float64{d.Seconds()}}
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), within)
}

func randomPart(d time.Duration) time.Duration { return rand.N(d) }
