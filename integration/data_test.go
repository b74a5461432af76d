package integration

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestBothSidesOfAPartitionKeepWritingAndMerge(t *testing.T) {
	t.Parallel()
	f := durable(t, 6)
	f.spec.Expect = 5
	f.start(to(5)...)
	f.whole(formWithin)
	for _, key := range []string{"left later", "right later", "deleted left", "deleted then set", "set then deleted", "untouched"} {
		f.set(3, key, "before")
	}
	for _, i := range to(5) {
		f.publish(i, "of", name(i))
	}
	before := map[string]string{"left later": "before", "right later": "before", "deleted left": "before",
		"deleted then set": "before", "set then deleted": "before", "untouched": "before"}
	f.holds(formWithin, state{before, map[string]map[string]string{
		"h1": {"of": "h1"}, "h2": {"of": "h2"}, "h3": {"of": "h3"}, "h4": {"of": "h4"}, "h5": {"of": "h5"}}})

	f.lab.Partition([]int{1, 2}, []int{3, 4, 5, 6})
	f.see(lossWithin, []int{1, 2})
	f.see(lossWithin, []int{3, 4, 5})
	f.set(1, "only left", "l")
	f.set(4, "only right", "r")
	f.set(2, "right later", "left")
	f.set(5, "right later", "right")
	f.set(5, "left later", "right")
	f.set(2, "left later", "left")
	f.do(1, "shared", "delete", "deleted left")
	f.do(1, "shared", "delete", "deleted then set")
	f.set(3, "deleted then set", "again")
	f.set(3, "set then deleted", "again")
	f.do(1, "shared", "delete", "set then deleted")
	f.publish(1, "of", "the left")
	f.publish(3, "of", "the right")
	f.publish(3, "more", "m")
	f.do(5, "keys", "delete", "of")
	f.start(6)
	f.see(formWithin, []int{3, 4, 5, 6})
	f.publish(6, "new", "n")
	f.set(6, "of the newcomer", "s")

	f.lab.Heal()
	healed := time.Now()
	f.holds(30*time.Second, state{
		map[string]string{"only left": "l", "only right": "r", "right later": "right", "left later": "left",
			"deleted then set": "again", "untouched": "before", "of the newcomer": "s"},
		map[string]map[string]string{"h1": {"of": "the left"}, "h2": {"of": "h2"},
			"h3": {"of": "the right", "more": "m"}, "h4": {"of": "h4"}, "h6": {"new": "n"}},
	})
	f.whole(30*time.Second - time.Since(healed))
	f.agree(30*time.Second - time.Since(healed))
	t.Logf("whole and of one mind %v after the heal", time.Since(healed).Round(time.Millisecond))
}

func TestACrashedClusterComesBackFromItsDisks(t *testing.T) {
	t.Parallel()
	f := durablyFormed(t, 3)
	f.set(1, "deleted", "d")
	f.holds(formWithin, state{map[string]string{"deleted": "d"}, map[string]map[string]string{}})
	for _, i := range to(3) {
		f.set(i, "shared by "+name(i), name(i))
		f.publish(i, "own", name(i))
	}
	f.do(2, "shared", "delete", "deleted")
	f.set(3, "last", "a moment before") // no call waits until the others have it
	f.kill(1, 2, 3)

	f.hostsFile(noPeers)
	f.start(1, 2, 3)
	f.whole(formWithin)
	f.holds(formWithin, state{
		map[string]string{"shared by h1": "h1", "shared by h2": "h2", "shared by h3": "h3", "last": "a moment before"},
		map[string]map[string]string{"h1": {"own": "h1"}, "h2": {"own": "h2"}, "h3": {"own": "h3"}},
	})
	f.agree(formWithin)
}

func TestTwoLiveClustersOfOneIDMerge(t *testing.T) {
	t.Parallel()
	f := durable(t, 4)
	f.hostsFile([]int{1, 2})
	f.start(1, 2)
	f.hostsFile([]int{3, 4})
	f.start(3, 4)
	f.see(formWithin, []int{1, 2})
	f.see(formWithin, []int{3, 4})
	f.set(1, "first", "1")
	f.set(1, "both", "earlier")
	f.set(4, "both", "later")
	f.set(3, "second", "2")
	f.publish(2, "own", "of the first")
	f.publish(3, "own", "of the second")
	f.see(0, []int{1, 2}) // they do not know each other
	f.see(0, []int{3, 4})

	f.do(2, "join", f.address(3))
	f.whole(formWithin)
	f.holds(formWithin, state{
		map[string]string{"first": "1", "second": "2", "both": "later"},
		map[string]map[string]string{"h2": {"own": "of the first"}, "h3": {"own": "of the second"}},
	})
	f.agree(formWithin)
}

func TestTheDeathOfTheSeedsDoesNoHarm(t *testing.T) {
	t.Parallel()
	f := durable(t, 5)
	f.spec.Strategy, f.spec.Config = "static", "{hosts: ["+f.address(1)+", "+f.address(2)+"]}"
	f.start(to(5)...)
	f.whole(formWithin)
	f.publish(1, "own", "of a seed")
	f.set(1, "from a seed", "s")
	f.do(1, "shared", "sync")
	f.kill(1, 2)
	f.see(lossWithin, []int{3, 4, 5})
	f.do(3, "shared", "update", "counted", "--absent", "1")
	f.do(3, "shared", "sync")
	f.do(4, "shared", "update", "counted", "--expect", "1", "2")
	f.do(4, "shared", "sync")
	if _, err := f.agents[5].Ask(t.Context(), "shared", "update", "counted", "--expect", "1", "3"); err == nil || !strings.Contains(err.Error(), `another value: "2"`) {
		t.Errorf("an update that expects what is no more: %v, want an error that names the value", err)
	}
	f.see(0, []int{3, 4, 5})

	f.start(1)
	f.whole(formWithin)
	want := state{map[string]string{"from a seed": "s", "counted": "2"}, map[string]map[string]string{"h1": {"own": "of a seed"}}}
	f.holds(formWithin, want)
	f.lose(2)
	f.start(2) // knows the other seed alone
	f.whole(formWithin)
	f.holds(formWithin, want)
	f.agree(formWithin)
}

func TestANodeThatLostItsDiskKeepsItsNewKeys(t *testing.T) {
	t.Parallel()
	f := durablyFormed(t, 3)
	f.publish(2, "k", "old")
	f.publish(2, "once", "o")
	f.set(2, "shared", "s")
	shared := map[string]string{"shared": "s"}
	f.holds(formWithin, state{shared, map[string]map[string]string{"h2": {"k": "old", "once": "o"}}})
	f.kill(2)
	f.lose(2)
	f.start(2)
	f.open(2)
	f.publish(2, "k", "new") // before or after it met the others
	f.whole(formWithin)
	want := state{shared, map[string]map[string]string{"h2": {"k": "new"}}}
	f.holds(formWithin, want)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	out, err := f.agents[1].Watch(ctx, "keys", "watch")
	if got, want := strings.TrimSpace(out), "h2  k = new"; err != nil || got != want {
		t.Errorf("keys watch for 5s: %q, %v, want %q and nothing more", got, err, want)
	}
	f.holds(0, want)
}

// lose empties the disk of a node that does not run.
func (f *fleet) lose(host int) {
	f.t.Helper()
	if err := os.RemoveAll(f.disk(host)); err != nil {
		f.t.Fatal(err)
	}
}
