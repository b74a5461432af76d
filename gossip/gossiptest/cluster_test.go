package gossiptest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/gossiptest"
)

func TestAPartitionIsSeenAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := gossiptest.New(t)
		c.Latency(5 * time.Millisecond)
		c.Start("a", "b", "c", "d", "e")
		c.Partition([]string{"a", "b"}, []string{"c", "d", "e"})
		c.WaitUp("a", "a", "b")
		c.WaitUp("e", "c", "d", "e")
		c.Heal()
		c.WaitTogether()
	})
}

func TestACrashIsSeenAtOnceAndASilentHostLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := gossiptest.New(t)
		c.Start("a", "b", "c", "d")
		begin := time.Now()
		c.Crash("d")
		c.WaitUp("a", "a", "b", "c")
		if d := time.Since(begin); d > time.Second {
			t.Errorf("a crash was seen after %v", d)
		}
		begin = time.Now()
		c.Isolate("c")
		c.WaitUp("a", "a", "b")
		if d := time.Since(begin); d < time.Second {
			t.Errorf("a silent host was seen after %v: the cut closed its connections", d)
		}
		c.Heal()
		c.Restart("d")
		c.WaitTogether()
	})
}

func TestAFrozenNodeIsDownAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := gossiptest.New(t)
		c.Start("a", "b", "c")
		c.Freeze("c", time.Second) // too short to be blamed
		time.Sleep(3 * time.Second)
		c.WaitTogether()
		c.Freeze("c", 30*time.Second)
		c.WaitUp("a", "a", "b")
		c.WaitTogether()
		if n := c.Node("c").Counters().Pauses; n == 0 {
			t.Error("the node that was frozen has not noticed")
		}
	})
}

func TestLossDelaysAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := gossiptest.New(t)
		nodes := c.Start("a", "b", "c")
		c.Loss(0.1, 1)
		for i := range 100 {
			if err := nodes[i%3].Shared().Set(t.Context(), fmt.Sprint(i), "v"); err != nil {
				t.Fatal(err)
			}
		}
		c.Wait("all have all keys", func() bool {
			for _, n := range nodes {
				count := 0
				for range n.Shared().All("") {
					count++
				}
				if count < 100 {
					return false
				}
			}
			return true
		})
	})
}

func TestARestartedNodeHasItsStateIfItHasADirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := gossiptest.New(t)
		c.Start("a")
		n := c.StartNode(gossip.Config{Name: "b", DataDir: t.TempDir()})
		if err := n.Set(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		c.Crash("b")
		if v, _ := c.Restart("b").Get("b", "k"); v != "v" {
			t.Errorf("k = %q after a restart", v)
		}
		c.Leave("b")
		c.WaitUp("a", "a")
	})
}

func TestOneWayCutsAreFoundToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := gossiptest.New(t)
		c.Start("a", "b")
		c.CutOneWay("a", "b")
		c.WaitUp("a", "a")
		c.WaitUp("b", "b")
		c.Heal()
		c.WaitTogether()
	})
}

func Example() {
	// In a test function; the bubble's clock passes minutes in milliseconds.
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := gossiptest.New(t)
			nodes := c.Start("a", "b", "c")
			c.Isolate("a")
			c.WaitUp("b", "b", "c")
			if _, ok := nodes[0].View().Member("b"); !ok {
				t.Error("a has forgotten b")
			}
			c.Heal()
			c.WaitTogether()
		})
	}
	_ = test
}
