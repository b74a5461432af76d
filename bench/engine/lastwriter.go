package engine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// lastWriter is the user data of one memberlist member, as a program would keep it: a map in which the last writer of a key wins.
// What is new goes to the broadcasts, from which each member passes it on; a whole map goes with memberlist's push/pull, which
// repairs what broadcasts have missed.
type lastWriter struct {
	broadcasts memberlist.TransmitLimitedQueue
	changed    func(entry)

	mu      sync.Mutex
	entries map[string]entry
}

// entry is a key of the map.
type entry struct {
	key, value string
	stamp      uint64 // when it was written, in Unix milliseconds; of two writes in one the greater value wins
}

func newLastWriter(retransmit int, members func() int, changed func(entry)) *lastWriter {
	return &lastWriter{
		broadcasts: memberlist.TransmitLimitedQueue{NumNodes: members, RetransmitMult: retransmit},
		changed:    changed, entries: make(map[string]entry),
	}
}

// set writes a key.
func (w *lastWriter) set(key, value string) {
	w.mu.Lock()
	stamp := max(uint64(time.Now().UnixMilli()), w.entries[key].stamp+1)
	w.mu.Unlock()
	w.putEntry(entry{key, value, stamp})
}

// restore takes an entry that the others have as well, so it is not passed on.
func (w *lastWriter) restore(e entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries[e.key] = e
}

// size adds up the values of all keys with a prefix, in bytes.
func (w *lastWriter) size(prefix string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	bytes := 0
	for key, e := range w.entries {
		if strings.HasPrefix(key, prefix) {
			bytes += len(e.value)
		}
	}
	return bytes
}

// putEntry takes an entry, and passes it on if it is newer than what there is.
func (w *lastWriter) putEntry(e entry) {
	w.mu.Lock()
	old, known := w.entries[e.key]
	newer := !known || cmp.Or(cmp.Compare(e.stamp, old.stamp), cmp.Compare(e.value, old.value)) > 0
	if newer {
		w.entries[e.key] = e
		w.broadcasts.QueueBroadcast(entryBroadcast{e.key, e.append(nil)})
	}
	w.mu.Unlock()
	if newer {
		w.changed(e)
	}
}

// mergeEntries takes entries that another member has sent, up to the first that is broken.
func (w *lastWriter) mergeEntries(b []byte) error {
	for len(b) > 0 {
		e, rest, err := cutEntry(b)
		if err != nil {
			return err
		}
		w.putEntry(e)
		b = rest
	}
	return nil
}

// encodeState returns all entries, nil if there are none.
func (w *lastWriter) encodeState() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b []byte
	for _, e := range w.entries {
		b = e.append(b)
	}
	return b
}

// append appends the stamp, the key and the value, the latter two behind their lengths.
func (e entry) append(b []byte) []byte {
	b = binary.AppendUvarint(b, e.stamp)
	for _, s := range []string{e.key, e.value} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

var errEntry = errors.New("an entry of the user data is cut short")

// cutEntry is the reverse of append.
func cutEntry(b []byte) (e entry, rest []byte, err error) {
	var n int
	if e.stamp, n = binary.Uvarint(b); n <= 0 {
		return entry{}, nil, errEntry
	}
	b = b[n:]
	for _, s := range []*string{&e.key, &e.value} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return entry{}, nil, errEntry
		}
		*s, b = string(b[n:n+int(size)]), b[n+int(size):]
	}
	return e, b, nil
}

// entryBroadcast is an entry on its way; a newer one of its key takes its place.
type entryBroadcast struct {
	key string
	msg []byte
}

func (b entryBroadcast) Name() string    { return b.key }
func (b entryBroadcast) Message() []byte { return b.msg }
func (entryBroadcast) Finished()         {}

func (b entryBroadcast) Invalidates(other memberlist.Broadcast) bool {
	o, ok := other.(entryBroadcast)
	return ok && o.key == b.key
}
