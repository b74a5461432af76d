package quorum

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestShardsOfALeaderThatWasKilledAreHeldAgainAtOnceIfFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b", "c", "d"}
		q := startQuorum(t, nil, names...)
		leader := q.awaitLeader(names...)
		groups := map[string]*Shards{}
		for _, name := range names {
			g, err := q.all[name].Shards("orders", Settings{Count: 16, Level: Fenced})
			if err != nil {
				t.Fatal(err)
			}
			groups[name] = g
			go func() {
				_ = g.Work(t.Context(), func(ctx context.Context, _ Hold) error {
					<-ctx.Done()
					return nil
				})
			}()
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == leader })
		rest := groups[names[0]]
		// held counts the shards of all members but the leader.
		held := func() (others, its int) {
			for i := range 16 {
				switch owner, _, ok := rest.Owner(i); {
				case ok && owner == leader:
					its++
				case ok:
					others++
				}
			}
			return others, its
		}
		q.Wait("the leader holds its part", func() bool { others, its := held(); return its == 4 && others == 12 })
		q.all[leader].Stop()
		q.Crash(leader)
		start := time.Now()
		q.Wait("all shards are held by the others", func() bool { others, _ := held(); return others == 16 })
		if took := time.Since(start); took > 500*time.Millisecond { // of the bubble's time
			t.Errorf("held again after %v: the lease of a leader that is judged down is not waited for", took)
		}
	})
}
