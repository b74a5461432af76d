package gossip

import (
	"sync"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// maxQueuedBytes bounds what a link holds that is not written yet, by the estimate of frameSize. At 1 MB/s that is four seconds of
// traffic; what exceeds it would be old when it arrives.
const maxQueuedBytes = 4 << 20

// sendQueue holds the frames of one link that are not written yet, in two lanes: the newest heartbeat, which overtakes everything,
// and all other frames in their order. A slow link is slowed and not closed: when the bound is exceeded, frames that anti-entropy
// sends again are dropped.
//
// The queue also knows whether a writer runs. There is none while the queue is empty, since a node has several links that are idle
// nearly always, and a goroutine with its buffer each would be most of its memory.
type sendQueue struct {
	mu      sync.Mutex
	beat    *core.Beat
	frames  []core.Frame
	next    int // index in frames of the first one not taken
	bytes   int // of frames[next:], estimated
	writing bool
	state   queueState
}

type queueState uint8

const (
	queueOpen     queueState = iota
	queueDraining            // takes nothing more; what it holds is still written
	queueClosed              // holds nothing and takes nothing
)

// push adds a frame. dropped reports that there was no room; start, that the caller is to start a writer.
//
// A heartbeat replaces one that is not written yet. Each carries all flags and hashes as they are now, so nothing is lost. The clock
// of the older one is not kept: it would be too old by the time that it waited.
func (q *sendQueue) push(f core.Frame) (dropped, start bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state != queueOpen {
		return false, false
	}
	if b, ok := f.(*core.Beat); ok {
		q.beat = b
	} else {
		size := frameSize(f)
		if q.bytes+size > maxQueuedBytes && isRepaired(f) {
			return true, false
		}
		q.frames, q.bytes = append(q.frames, f), q.bytes+size
	}
	start, q.writing = !q.writing, true
	return false, start
}

// pop takes the frame to write next, nil if there is none.
func (q *sendQueue) pop() core.Frame {
	q.mu.Lock()
	defer q.mu.Unlock()
	if b := q.beat; b != nil {
		q.beat = nil
		return b
	}
	if q.next == len(q.frames) {
		return nil
	}
	f := q.frames[q.next]
	q.frames[q.next] = nil
	q.next++
	q.bytes -= frameSize(f)
	if q.next == len(q.frames) {
		q.frames, q.next = nil, 0 // an idle link holds no memory
	}
	return f
}

// endWriter reports whether the writer may end, because the queue is empty; then the next push starts another one. last reports
// that there will be none, and that the stream is to be closed.
func (q *sendQueue) endWriter() (end, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.beat != nil || q.next < len(q.frames) {
		return false, false
	}
	q.writing = false
	return true, q.state != queueOpen
}

// drain has the queue take nothing more. It reports whether it is empty and no writer runs, so that the stream can be closed at once.
func (q *sendQueue) drain() (empty bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state == queueOpen {
		q.state = queueDraining
	}
	return !q.writing
}

func (q *sendQueue) isDraining() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.state != queueOpen
}

// close drops what the queue holds.
func (q *sendQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.state = queueClosed
	q.beat, q.frames, q.next, q.bytes = nil, nil, 0, 0
}

// isRepaired reports whether anti-entropy sends again what a frame carries. The others are few and small, and are sent
// once.
func isRepaired(f core.Frame) bool {
	switch f.(type) {
	case *core.Delta, *core.Digest, *core.Buckets,
		*core.SharedDelta, *core.SharedDigest, *core.SharedBuckets, *core.SharedAnnounce:
		return true
	}
	return false
}

// frameSize estimates the bytes of a frame on the wire and in memory, whichever is more, without encoding it.
func frameSize(f core.Frame) int {
	const head, item = 64, 64 // bytes of a frame, and of an entry, without its texts
	size := head
	switch f := f.(type) {
	case *core.Delta:
		for i := range f.Records {
			r := &f.Records[i]
			size += item + len(r.ID)
			for k := range r.Entries {
				size += item + len(r.Entries[k].Key) + len(r.Entries[k].Value)
			}
		}
	case *core.SharedDelta:
		for i := range f.Entries {
			size += item + len(f.Entries[i].Key) + len(f.Entries[i].Value)
		}
	case *core.Digest:
		size += item * len(f.Entries)
	case *core.SharedDigest:
		size += item * len(f.Entries)
	case *core.SharedAnnounce:
		size += item * len(f.Entries)
	case *core.Buckets, *core.SharedBuckets:
		size += 8 * core.NumBuckets
	}
	return size
}
