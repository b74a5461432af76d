package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

func buckets() *core.Buckets {
	b := new(core.Buckets)
	for i := range b.Hashes {
		b.Hashes[i] = uint64(i) * 0x9E3779B97F4A7C15
	}
	return b
}

// examples has each type of frame, full and empty.
func examples() []core.Frame {
	return []core.Frame{
		&core.Hello{Protocol: 1, Cluster: "orders", ID: "node-1", Generation: 1 << 60, Addr: "[fd00::1]:7946", Rejoin: true, Clock: 1 << 41, Aged: true, Since: 1 << 40},
		&core.Hello{},
		&core.Refuse{Reason: "another cluster"},
		&core.Refuse{},
		&core.Beat{Hash: 1<<63 + 5, Known: 1000, Wanted: true, Eager: true, Shared: 9, Clock: 1 << 41, Lag: 250},
		&core.Beat{},
		buckets(),
		&core.Digest{Mask: 1<<63 | 1, Reply: true, Entries: []core.DigestEntry{{Node: 1, Generation: 2, Version: 3, Floor: 4, Seen: 5}, {Node: 1 << 63, Generation: 1}}},
		&core.Digest{},
		&core.Delta{Last: true, Records: []core.RecordDelta{
			{Node: 7, ID: "node-7", Generation: 9, To: 12, Floor: 3, Seen: 1 << 41, Urgent: true, Links: []core.LinkEntry{
				core.Link(1<<63, 5, false),
				core.Link(7, 11, true),
			}, Entries: []core.Entry{
				{Kind: core.KindMeta, Key: core.MetaAddr, Value: "10.0.0.7:7946", Version: 4},
				{Kind: core.KindLink, Key: "short", Version: 6},
				{Kind: core.KindUser, Key: "gone", Version: 12, Deleted: true},
				{Kind: 200, Key: "", Value: strings.Repeat("x", core.MaxValue), Version: 12},
			}},
			{Node: 8, Generation: 1, From: 4, To: 5},
			{Node: core.HashID("node-9"), ID: "node-9", Generation: 1 << 61, To: 5},
		}},
		&core.Delta{},
		&core.SharedBuckets{Hashes: buckets().Hashes, Floor: 7 << 16},
		&core.SharedDigest{Mask: 5, Reply: true, Entries: []core.SharedVersion{{ID: 1, Stamp: 2, Writer: 3}, {ID: 1 << 63}}},
		&core.SharedDigest{},
		&core.SharedDelta{Clock: 1 << 41, Last: true, Entries: []core.SharedEntry{
			{Key: "k", Value: "v", Stamp: 1 << 60, Writer: 7, Expires: 1 << 41},
			{Space: core.SpaceMember, Key: "node-7", Stamp: 2, Deleted: true},
		}},
		&core.SharedDelta{},
		&core.SharedAnnounce{Entries: []core.SharedVersion{{ID: 1, Stamp: 2, Writer: 3}}},
		&core.Lazy{On: true},
		&core.Lazy{},
		&core.Ask{Versions: []core.SharedVersion{{ID: 1, Stamp: 2, Writer: 3}}},
		&core.Answer{Hash: 1, Shared: 2, Lacks: 3},
		&core.Open{Protocol: "raft"},
		&core.Opened{Status: core.OpenBusy},
		&core.Bye{Reason: core.ByeLeft},
		&core.Bye{},
	}
}

func encode(t testing.TB, frames ...core.Frame) []byte {
	t.Helper()
	var b []byte
	for _, f := range frames {
		var err error
		if b, err = Append(b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func trusted(r io.Reader) *Reader {
	reader := NewReader(bufio.NewReaderSize(r, 64)) // some frames fit into it
	reader.Trust()
	return reader
}

func TestEveryFrameComesBackAsItWas(t *testing.T) {
	r := trusted(iotest.OneByteReader(bytes.NewReader(encode(t, examples()...))))
	for _, want := range examples() {
		got, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%T (-want +got):\n%s", want, d)
		}
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v, want io.EOF", err)
	}
}

func TestAFrameCutAtAnyByteIsAnErrorAndNothingElse(t *testing.T) {
	for _, f := range examples() {
		whole := encode(t, f)
		if len(whole) > 4096 {
			whole = encode(t, &core.Delta{Records: f.(*core.Delta).Records[1:]})
		}
		for n := range whole {
			_, err := trusted(bytes.NewReader(whole[:n])).Read()
			if want := map[bool]error{true: io.EOF, false: io.ErrUnexpectedEOF}[n == 0]; !errors.Is(err, want) {
				t.Errorf("%T cut to %d of %d bytes: %v, want %v", f, n, len(whole), err, want)
			}
		}
		body := whole[headerSize:]
		for n := range body { // a frame whose length was made to fit
			if g, err := Decode(body[:n]); err == nil && g == nil {
				t.Errorf("%T cut to %d bytes and relabelled is of unknown type", f, n)
			}
		}
	}
}

func TestALengthIsCheckedBeforeAnythingIsAllocated(t *testing.T) {
	for _, n := range []uint32{0, MaxHandshake + 1, 1 << 31, 1<<32 - 1} {
		head := binary.BigEndian.AppendUint32(nil, n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := NewReader(bufio.NewReader(bytes.NewReader(head))).Read(); !errors.Is(err, ErrMalformed) {
			t.Errorf("a frame that claims %d bytes: %v", n, err)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<20 {
			t.Errorf("a frame that claims %d bytes: %d were allocated", n, after.TotalAlloc-before.TotalAlloc)
		}
	}
	big := encode(t, &core.Delta{Records: []core.RecordDelta{{Entries: []core.Entry{{Value: strings.Repeat("x", MaxHandshake)}}}}})
	if _, err := NewReader(bufio.NewReader(bytes.NewReader(big))).Read(); !errors.Is(err, ErrMalformed) {
		t.Errorf("a large frame before Trust: %v", err)
	}
}

func TestWhatALaterVersionAddsIsSkipped(t *testing.T) {
	body := encode(t, &core.Beat{Hash: 5, Known: 3, Wanted: true})[headerSize:]
	for _, add := range []func([]byte) []byte{
		func(b []byte) []byte { return appendVarint(b, 99, 7) },
		func(b []byte) []byte { return appendFixed(b, 99, 7) },
		func(b []byte) []byte { return appendString(b, 99, "new") },
		func(b []byte) []byte {
			return protowire.AppendFixed32(protowire.AppendTag(b, 99, protowire.Fixed32Type), 7)
		},
		func(b []byte) []byte {
			b = protowire.AppendTag(b, 99, protowire.StartGroupType)
			return protowire.AppendTag(appendVarint(b, 1, 1), 99, protowire.EndGroupType)
		},
	} {
		got, err := Decode(add(bytes.Clone(body)))
		if d := cmp.Diff(&core.Beat{Hash: 5, Known: 3, Wanted: true}, got); err != nil || d != "" {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
	}
	stream := append(binary.BigEndian.AppendUint32(nil, 4), 250, 1, 2, 3)
	stream = append(stream, encode(t, &core.Bye{Reason: core.ByeLeft})...)
	got, err := trusted(bytes.NewReader(stream)).Read()
	if d := cmp.Diff(&core.Bye{Reason: core.ByeLeft}, got); err != nil || d != "" {
		t.Errorf("after a frame of unknown type: %v\n%s", err, d)
	}
}

func TestLimitsAreKeptOnBothSides(t *testing.T) {
	huge := &core.Delta{}
	for range 20 {
		huge.Records = append(huge.Records, core.RecordDelta{Entries: []core.Entry{{Value: strings.Repeat("x", core.MaxValue)}}})
	}
	if b, err := Append([]byte("kept"), huge); err == nil || string(b) != "kept" {
		t.Errorf("a frame above the limit: %v, %d bytes", err, len(b))
	}
	for _, f := range []core.Frame{
		&core.Hello{ID: strings.Repeat("x", core.MaxID+1)},
		&core.Hello{Addr: strings.Repeat("x", maxAddr+1)},
		&core.Digest{Entries: make([]core.DigestEntry, maxItems+1)},
		&core.Delta{Records: make([]core.RecordDelta, maxItems+1)},
		&core.Delta{Records: []core.RecordDelta{{Entries: make([]core.Entry, core.MaxEntries)}, {Entries: make([]core.Entry, core.MaxEntries)}, {Entries: make([]core.Entry, 1)}}},
		&core.Delta{Records: []core.RecordDelta{{ID: strings.Repeat("x", core.MaxID+1)}}},
		&core.Delta{Records: []core.RecordDelta{{Entries: []core.Entry{{Key: strings.Repeat("x", core.MaxKey+1)}}}}},
		&core.Delta{Records: []core.RecordDelta{{Entries: []core.Entry{{Value: strings.Repeat("x", core.MaxValue+1)}}}}},
		&core.Delta{Records: []core.RecordDelta{{Entries: make([]core.Entry, core.MaxEntries+1)}}},
	} {
		if _, err := Decode(encode(t, f)[headerSize:]); !errors.Is(err, ErrMalformed) {
			t.Errorf("%T beyond a limit: %v, want it refused", f, err)
		}
	}
	long := encode(t, &core.Refuse{Reason: strings.Repeat("x", maxReason+1)})[headerSize:]
	if f, err := Decode(long); err != nil || len(f.(*core.Refuse).Reason) != maxReason {
		t.Errorf("a reason that is too long: %v, want it cut", err)
	}
	long = appendString([]byte{typeRefuse}, refuseReason, strings.Repeat("x", maxReason+1))
	for _, body := range [][]byte{long, {typeBeat, 0xff}, {typeBeat, 0x08}, {typeBeat, 0x12, 0x01, 0x00}, {typeBuckets}, {typeBuckets, 0x0a, 0x01, 0x00}, {typeHello, 0x08, 0xff, 0xff, 0xff, 0x7f}, {}} {
		if _, err := Decode(body); !errors.Is(err, ErrMalformed) {
			t.Errorf("Decode(%x) = %v, want it refused", body, err)
		}
	}
}

func TestAHeartbeatIsSmall(t *testing.T) {
	if n := len(encode(t, &core.Beat{Hash: 1 << 63, Known: 1000, Wanted: true, Eager: true})); n > 21 {
		t.Errorf("a heartbeat takes %d bytes, want at most 21", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range examples() {
		if b := encode(f, e); len(b) < 4096 {
			f.Add(b[headerSize:])
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		frame, err := Decode(body)
		if err != nil || frame == nil {
			return
		}
		again, err := Append(nil, frame)
		if err != nil {
			t.Fatalf("%#v cannot be encoded: %v", frame, err)
		}
		back, err := Decode(again[headerSize:])
		if d := cmp.Diff(frame, back); err != nil || d != "" {
			t.Fatalf("%v (-decoded +decoded again):\n%s", err, d)
		}
	})
}

func BenchmarkBeat(b *testing.B) {
	beat := &core.Beat{Hash: 1 << 63, Known: 1000, Wanted: true}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = Append(buf[:0], beat)
		if _, err := Decode(buf[headerSize:]); err != nil {
			b.Fatal(err)
		}
	}
}
