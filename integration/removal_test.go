package integration

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/integration/agent"
)

func TestANodeRemovedWhileItWasDownLearnsOfIt(t *testing.T) {
	t.Parallel()
	f := durablyFormed(t, 3)
	f.set(2, "shared", "s")
	f.publish(2, "own", "o")
	f.holds(formWithin, state{map[string]string{"shared": "s"}, map[string]map[string]string{"h2": {"own": "o"}}})
	f.kill(2)
	f.see(lossWithin, []int{1, 3})
	f.do(1, "remove", "h2")
	f.lists(formWithin, up(1, 3))
	f.kill(1, 3) // the removal outlives those who know of it
	removed := time.Now()
	f.start(1, 3)
	f.whole(formWithin)

	f.start(2)
	f.endsRemoved(2)
	f.start(2) // it does not forget
	f.endsRemoved(2)
	f.see(0, []int{1, 3})
	f.lists(0, up(1, 3))
	f.neverSaw(2, removed)
	withoutOwn := state{map[string]string{"shared": "s"}, map[string]map[string]string{}}
	f.holds(0, withoutOwn)
	if aside, err := filepath.Glob(filepath.Join(f.disk(2), "snapshot.aside-*")); err != nil || len(aside) == 0 {
		t.Errorf("files put aside: %v, %v, want some", aside, err)
	}

	f.spec.Rejoin = true
	f.start(2)
	f.whole(formWithin)
	f.lists(formWithin, up(1, 2, 3))
	f.holds(formWithin, withoutOwn) // what it published lies aside
	f.kill(2)
	f.see(lossWithin, []int{1, 3})
	f.spec.Rejoin = false
	f.start(2) // a member like any other
	f.whole(formWithin)
	f.agree(formWithin)
}

func TestANodeRemovedWhileItIsUpEnds(t *testing.T) {
	t.Parallel()
	f := durablyFormed(t, 3)
	f.do(1, "remove", "h2")
	f.endsRemoved(2)
	f.see(lossWithin, []int{1, 3})
	f.lists(formWithin, up(1, 3))
	f.spec.Rejoin = true
	f.start(2)
	f.whole(formWithin)
	f.agree(formWithin)
}

func TestANodeRemovedOnTheOtherSideOfAPartitionLearnsOfIt(t *testing.T) {
	t.Parallel()
	f := durablyFormed(t, 4)
	f.publish(4, "own", "o")
	f.do(4, "shared", "set", "shared", "s")
	f.do(4, "shared", "sync")
	f.lab.Partition([]int{1, 2}, []int{3, 4})
	f.see(lossWithin, []int{1, 2})
	f.see(lossWithin, []int{3, 4})
	f.do(1, "remove", "h4")
	f.publish(4, "own", "written after the removal")
	f.set(4, "also shared", "a")
	f.do(4, "shared", "sync") // h3 has it: no process listens to h4 once it is known that it was removed
	f.lab.Heal()
	f.endsRemoved(4)
	f.see(formWithin, []int{1, 2, 3})
	f.lists(formWithin, up(1, 2, 3))
	f.holds(formWithin, state{map[string]string{"shared": "s", "also shared": "a"}, map[string]map[string]string{}})
	f.agree(formWithin)
}

// endsRemoved waits until a node has heard that it was removed: it reports that and ends with 1.
func (f *fleet) endsRemoved(host int) {
	f.t.Helper()
	if code := f.ends(host, removedWithin); code != 1 {
		f.t.Errorf("%s ended with %d, want 1", name(host), code)
	}
	a := f.agents[host]
	if !slices.ContainsFunc(a.Events(time.Time{}), func(e agent.Event) bool { return e.Event == "removed" }) {
		f.t.Errorf("%s printed %v, want a removal", name(host), a.Events(time.Time{}))
	}
	if log := strings.Join(a.Log(), "\n"); !strings.Contains(log, "--rejoin") {
		f.t.Errorf("%s does not print how to bring it back:\n%s", name(host), log)
	}
}

func TestLeaveEndsTheAgentAndTheOthersKnow(t *testing.T) {
	t.Parallel()
	f := durablyFormed(t, 3)
	f.publish(2, "own", "o")
	f.set(2, "shared", "s") // no call waits until the others have it
	if diff := cmp.Diff("left\n", f.do(2, "leave")); diff != "" {
		t.Errorf("leave (-want +got):\n%s", diff)
	}
	if code := f.ends(2, formWithin); code != 0 {
		t.Errorf("the agent ended with %d, want 0", code)
	}
	f.see(formWithin, []int{1, 3})
	f.lists(formWithin, map[string]string{"h1": "up", "h2": "left", "h3": "up"})
	if _, err := f.agents[2].Ask(t.Context(), "members"); err == nil || !strings.Contains(err.Error(), "no agent runs") {
		t.Errorf("a command afterwards: %v, want that no agent runs", err)
	}
	f.start(2)
	f.whole(formWithin)
	f.holds(formWithin, state{map[string]string{"shared": "s"}, map[string]map[string]string{"h2": {"own": "o"}}})
}
