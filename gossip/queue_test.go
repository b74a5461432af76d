package gossip

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// delta returns a frame of about so many bytes.
func delta(bytes int) *core.Delta {
	return &core.Delta{Records: []core.RecordDelta{{ID: "x", Entries: []core.Entry{{Key: "k", Value: strings.Repeat("v", bytes)}}}}}
}

// popAll returns what a queue holds.
func popAll(q *sendQueue) (all []core.Frame) {
	for f := q.pop(); f != nil; f = q.pop() {
		all = append(all, f)
	}
	return all
}

func TestAHeartbeatOvertakesWhatIsQueuedAndReplacesAnOlderOne(t *testing.T) {
	var q sendQueue
	first, second, bye := delta(1), delta(2), &core.Bye{Reason: core.ByeLeft}
	newest := &core.Beat{Hash: 2, Wanted: true, Eager: true}
	for i, f := range []core.Frame{first, &core.Beat{Hash: 1, Wanted: true}, second, newest, bye} {
		if dropped, start := q.push(f); dropped || start != (i == 0) {
			t.Errorf("frame %d: dropped %v, start %v, want one writer and nothing dropped", i, dropped, start)
		}
	}
	if diff := cmp.Diff([]core.Frame{newest, first, second, bye}, popAll(&q)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBeyondTheBoundOnlyWhatIsRepairedIsDropped(t *testing.T) {
	var q sendQueue
	for range 8 {
		q.push(delta(maxQueuedBytes / 8))
	}
	for _, f := range []core.Frame{delta(1000), &core.SharedDelta{Entries: make([]core.SharedEntry, 10_000)},
		&core.SharedDigest{Entries: make([]core.SharedVersion, 10_000)}, &core.Digest{Entries: make([]core.DigestEntry, 10_000)},
		&core.SharedAnnounce{Entries: make([]core.SharedVersion, 10_000)}} {
		q.bytes = maxQueuedBytes
		if dropped, _ := q.push(f); !dropped {
			t.Errorf("%T was queued", f)
		}
	}
	for _, f := range []core.Frame{&core.Beat{}, &core.Bye{}, &core.Lazy{}} {
		if dropped, _ := q.push(f); dropped {
			t.Errorf("%T was dropped", f)
		}
	}
}

func TestAWriterEndsWithItsQueueAndTheNextFrameStartsAnother(t *testing.T) {
	var q sendQueue
	q.push(delta(1))
	if end, _ := q.endWriter(); end {
		t.Error("it ends with a frame queued")
	}
	popAll(&q)
	if end, last := q.endWriter(); !end || last {
		t.Errorf("with an empty queue: end %v, last %v", end, last)
	}
	if q.bytes != 0 || q.frames != nil {
		t.Errorf("an empty queue holds %d bytes in %d frames", q.bytes, len(q.frames))
	}
	if _, start := q.push(&core.Beat{}); !start {
		t.Error("the next frame starts no writer")
	}
	if q.drain() {
		t.Error("a queue with a heartbeat passes for empty")
	}
	popAll(&q)
	if _, last := q.endWriter(); !last {
		t.Error("the last writer is not to close the stream")
	}
}
