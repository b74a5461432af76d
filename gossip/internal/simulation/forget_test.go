package simulation

import (
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

func TestACutLongerThanForgetAfterMakesNoneDeadThatWasNotCut(t *testing.T) {
	t.Parallel()
	sizes := []int{6, 32}
	if *large {
		sizes = append(sizes, 128)
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := DefaultSettings(n, 1)
			s.Core.ForgetAfter = 2 * time.Minute
			w := New(s)
			v := NewWatch(w)
			w.StartAll()
			w.Run(40*time.Second, nil)
			for _, cut := range []int{0, n / 2, n - 1} { // whichever of them is the first by ID
				w.Partition(1, cut)
				w.Run(s.Core.ForgetAfter+2*time.Minute, nil)
				v.Deaths = nil
				w.Heal()
				w.Run(HealBound(w.Core), nil)
				dead := 0
				for _, d := range v.Deaths {
					if d.Observer != cut && d.Subject != cut {
						dead++
					}
				}
				if dead > 0 || !w.Together() {
					t.Errorf("%s was cut off: %d of the others ceased to be up to others; all together again: %v", w.Nodes[cut].ID, dead, w.Together())
				}
			}
		})
	}
}

// tenDays are settings in which a day is a minute.
func tenDays(nodes int, seed uint64) Settings {
	s := DefaultSettings(nodes, seed)
	s.Core.Horizon, s.Core.ForgetAfter = 10*time.Minute, 3*time.Minute
	return s
}

func TestTheMapIsKeptByARestartOfAllAfterAQuietTimeLongerThanTheHorizon(t *testing.T) {
	w := New(tenDays(3, 1))
	w.StartAll()
	w.Run(10*time.Second, nil)
	w.Nodes[0].Do(core.SharedSet{Key: "k", Value: "v"})
	w.Run(w.Core.Horizon+w.Core.Horizon/5, nil)
	for _, n := range w.Nodes {
		n.Crash()
	}
	w.Run(time.Second, nil)
	for _, n := range w.Nodes {
		n.Restart(true, w.Nodes[0].Addr)
	}
	w.Run(30*time.Second, nil)
	for _, n := range w.Nodes {
		wantShared(t, n, "k", "v")
	}
}

func TestANodeCutOffForLongerThanTheHorizonBringsNoDeletedKeyBack(t *testing.T) {
	w := New(tenDays(4, 2))
	w.StartAll()
	w.Run(10*time.Second, nil)
	w.Nodes[0].Do(core.SharedSet{Key: "gone", Value: "v"})
	w.Nodes[0].Do(core.SharedSet{Key: "stays", Value: "v"})
	awaitSameShared(t, w, 5*time.Second)
	w.Partition(1, 3)
	w.Run(10*time.Second, nil)
	w.Nodes[0].Do(core.SharedDelete{Key: "gone"})
	w.Run(w.Core.Horizon+3*time.Minute, nil)
	w.Heal()
	w.Nodes[3].Do(core.Join{Addrs: []string{w.Nodes[0].Addr}})
	w.Run(2*time.Minute, nil)
	for _, n := range w.Nodes {
		wantShared(t, n, "gone", "")
		wantShared(t, n, "stays", "v")
	}
}

// All members are replaced by others each day, one after the other, as rollouts of pods with random names do; a day is two minutes
// here. A table has those that are up and those of the last three days, and a little more. What a replacement costs grows with the square of the
// members: each of them takes some forty changes, and the newcomer the whole table. So with -large there are 128, and the table of one of a thousand
// members is held to the same bound by a test of package core.
func TestMembersReplacedDailyForSixtyDaysFillNoTable(t *testing.T) {
	t.Parallel()
	n, days, day := 20, 15, 2*time.Minute
	if *large {
		n, days = 128, 60 // minutes
	}
	s := DefaultSettings(n, 9)
	s.Core.ForgetAfter, s.Core.Horizon = 3*day, 10*day
	w := New(s)
	w.StartAll()
	w.Run(30*time.Second, nil)
	most := 0
	for d := range days {
		for i := range n {
			old := w.Nodes[i]
			if i%2 == 0 {
				old.Leave()
			} else {
				old.Crash()
			}
			old.Replace(fmt.Sprintf("d%03d-%04d", d, i))
			old.Start(w.Nodes[(i+1)%n].Addr, w.Nodes[(i+n/2)%n].Addr)
			w.Run(day/time.Duration(n), nil)
			most = max(most, recordCount(w.Nodes[(i+1)%n]))
		}
	}
	t.Logf("%d members replaced daily for %d days: at most %d records", n, days, most)
	if bound := 42 * n / 10; most > bound {
		t.Errorf("a table had %d records, want at most %d", most, bound)
	}
	w.Run(HealBound(s.Core), nil)
	if !w.Together() {
		t.Error("members are not all up to each other at the end")
	}
}
