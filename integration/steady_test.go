package integration

import (
	"fmt"
	"testing"
	"time"
)

// A node that is cut off again soon after it came back has links that broke twice, whose publication waits for some good heartbeats. Others
// write all the time, so that no link is ever idle.
func TestANodeCutOffTwiceComesBackWhileOthersWrite(t *testing.T) { // not beside other tests: the bounds are those of a machine of its own
	const (
		writeEvery = 50 * time.Millisecond
		cutFor     = 8 * time.Second
		backWithin = 10 * time.Second
		keys       = 100
	)
	f := durablyFormed(t, 4)
	w := f.writes(1, writeEvery, func(n int) (string, string) { return fmt.Sprintf("k%d", n%keys), fmt.Sprint(n) })
	w.goesOn(t, keys, formWithin) // each key was written
	for range 2 {
		before := w.done.Load()
		f.lab.Partition([]int{1, 2, 3}, []int{4})
		begin := time.Now()
		f.see(lossWithin, []int{1, 2, 3})
		f.see(lossWithin, []int{4})
		wait(t, cutFor-time.Since(begin))
		f.lab.Heal()
		healed := time.Now()
		f.whole(backWithin)
		t.Logf("after a cut of %v all four were up %v after the heal; %d writes meanwhile", healed.Sub(begin).Round(time.Millisecond),
			time.Since(healed).Round(time.Millisecond), w.done.Load()-before)
		f.lists(backWithin-time.Since(healed), up(1, 2, 3, 4))
		w.goesOn(t, 1, callWithin)
	}
	w.stop()
	total := int(w.done.Load())
	want := map[string]string{}
	for n := total - keys; n < total; n++ {
		want[fmt.Sprintf("k%d", n%keys)] = fmt.Sprint(n)
	}
	f.holds(backWithin, state{want, map[string]map[string]string{}})
	f.agree(backWithin)
}
