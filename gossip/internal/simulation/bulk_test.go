package simulation

import (
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// joinUnderBandwidth fills the records of three nodes, and has a fourth join over a bandwidth in bytes per second. It returns how many streams
// were closed for a full queue.
func joinUnderBandwidth(t *testing.T, megabytes, bandwidth, frames int) (closed int) {
	t.Helper()
	s := DefaultSettings(4, 1)
	s.Core.Limits.Record, s.Core.Limits.State = 64<<20, 256<<20
	s.QueueFrames = frames
	w := New(s)
	v := NewWatch(w)
	for _, n := range w.Nodes[:3] {
		n.Start(w.Nodes[0].Addr)
	}
	w.Run(10*time.Second, nil)
	value := fmt.Sprintf("%*s", 32<<10, "")
	for i := range megabytes * 32 {
		w.Nodes[i%3].Do(core.Set{Key: fmt.Sprint("k", i), Value: value})
		if i%8 == 0 {
			w.Run(50*time.Millisecond, nil)
		}
	}
	w.Run(5*time.Second, nil)
	w.Bandwidth = bandwidth
	v.Deaths = nil
	at := w.Now
	w.Nodes[3].Start(w.Nodes[0].Addr)
	bound := 10*time.Second + 4*transferTime(megabytes<<20, bandwidth)
	if !w.Run(bound, w.Agreed) {
		t.Errorf("%d MB at %d MB/s: not all %v after the start; %d frames dropped, %d streams closed for a full queue, n0 has %d up",
			megabytes, bandwidth>>20, bound, w.Count.Dropped, w.Count.Overflows, w.Nodes[0].Core.UpCount())
	}
	t.Logf("%d MB at %d MB/s: %v, %d frames dropped, %d streams closed", megabytes, bandwidth>>20, w.Now-at, w.Count.Dropped, w.Count.Overflows)
	w.Run(5*time.Second, nil)
	requireNoDeaths(t, v)
	return w.Count.Overflows
}

const gigabit = 125 << 20 // bytes per second, about

func TestANewcomerGetsALargeState(t *testing.T) {
	t.Parallel()
	sizes := []int{8, 40}
	if *large {
		sizes = append(sizes, 100, 200)
	}
	for _, mb := range sizes {
		t.Run(fmt.Sprint(mb, " MB"), func(t *testing.T) { joinUnderBandwidth(t, mb, gigabit, 0) })
	}
	t.Run("a tenth of the bandwidth", func(t *testing.T) { joinUnderBandwidth(t, 16, gigabit/10, 0) })
}

func TestANewcomerGetsALargeStateThoughFullQueuesCloseStreams(t *testing.T) {
	t.Parallel()
	if closed := joinUnderBandwidth(t, 40, gigabit, 256); closed > 0 {
		t.Errorf("%d streams were closed for a full queue, want none", closed)
	}
}

func TestASlowReaderHarmsNoneOfTheOthers(t *testing.T) {
	w, v := settledCluster(t, 5, 3)
	l := NewLedger(w)
	p := NewWriters(w, l, 20)
	p.Size = 32 << 10
	x := w.Nodes[4]
	p.Only = func(n *Node) bool { return n != x }
	x.ReadSlowly(50 << 10)
	p.Start()
	w.Run(time.Minute, nil)
	for _, d := range v.Deaths {
		if d.Observer != x.Index && d.Subject != x.Index {
			t.Errorf("%s lost %s at %v", w.Nodes[d.Observer].ID, w.Nodes[d.Subject].ID, d.At)
		}
	}
	if err := l.Spread(w.Nodes[:4], 5*time.Second, false); err != nil {
		t.Error(err)
	}
	x.ReadSlowly(0)
	if !w.Run(HealBound(w.Core), w.Together) {
		t.Errorf("not together %v after the reader is fast again", HealBound(w.Core))
	}
}
