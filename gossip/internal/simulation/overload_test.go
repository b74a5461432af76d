package simulation

import (
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// slowProcessor is one that is busy with the join storm of a hundred members for many times as long as the network is.
func slowProcessor(f core.Frame) time.Duration {
	work := 200 * time.Microsecond
	if d, ok := f.(*core.Delta); ok {
		work += time.Duration(len(d.Records)) * 100 * time.Microsecond
	}
	return work
}

// All members share a processor that is overloaded by their start. Nothing but what they make of it keeps them from being late for
// each other, breaking links for that, and being busy with the consequences for ever.
func TestAnOverloadEndsWithWhatCausedIt(t *testing.T) {
	const n = 100
	s := DefaultSettings(n, 5)
	s.Work = slowProcessor
	w := New(s)
	v := NewWatch(w)
	w.StartAll()
	if !w.Run(30*time.Second, v.Complete) {
		t.Fatalf("not whole after %v: %d of %d pairs", w.Now, v.Pairs, n*(n-1))
	}
	t.Logf("whole after %v", w.Now)
	v.Deaths = nil
	w.Run(20*time.Second, nil)
	if len(v.Deaths) > 0 || !v.Complete() {
		t.Errorf("%d members were lost after the cluster was whole, and it is whole: %v", len(v.Deaths), v.Complete())
	}
	before := w.Count.Messages
	w.Run(10*time.Second, nil)
	if late := w.free - w.Now; late > 10*time.Millisecond {
		t.Errorf("the processor is %v behind", late)
	}
	if got := float64(w.Count.Messages-before) / 10 / n; got > 12 {
		t.Errorf("at rest a member sends %.1f frames a second, want its heartbeats", got)
	}
}
