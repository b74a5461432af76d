package logdisk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/goconvoke/convoke/internal/disk"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

func open(t *testing.T, dir string, id uint64) *Log {
	t.Helper()
	l, err := Open(dir, unsynced{disk.System}, func() uint64 { return id })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// unsynced is the file system without its syncs: what they are for is tested in package disk.
type unsynced struct{ disk.FS }

type unsyncedFile struct{ disk.File }

func (unsynced) SyncDir(string) error { return nil }
func (unsyncedFile) Sync() error      { return nil }

func (u unsynced) Create(name string) (disk.File, error) {
	f, err := u.FS.Create(name)
	return unsyncedFile{f}, err
}

func reopen(t *testing.T, l *Log, dir string) *Log {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, 99)
}

func saved(t *testing.T, l *Log) core.Saved {
	t.Helper()
	d, err := l.Saved()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func entry(index, term uint64) *pb.Entry {
	return &pb.Entry{Index: new(index), Term: new(term), Type: pb.EntryNormal.Enum(), Data: []byte{byte(index), byte(term)}}
}

func snapshot(index uint64, size int) *pb.Snapshot {
	return &pb.Snapshot{Data: bytes.Repeat([]byte{byte(index)}, size), Metadata: &pb.SnapshotMetadata{Index: new(index), Term: new(uint64(1)),
		ConfState: &pb.ConfState{Voters: []uint64{1, 2, 3}}}}
}

// model is what should be on the disk.
type model struct{ core.Saved }

func (m *model) take(p core.Persist) {
	if p.Birth != 0 {
		m.Birth, m.CameFrom = p.Birth, p.CameFrom
	}
	if p.Hard != nil {
		m.Hard = p.Hard
	}
	if p.Snapshot != nil {
		m.Snapshot = p.Snapshot
	}
	if p.Reset {
		m.Entries = nil
	}
	var kept []*pb.Entry
	for _, e := range m.Entries {
		if e.GetIndex() >= p.First && (len(p.Entries) == 0 || e.GetIndex() < p.Entries[0].GetIndex()) {
			kept = append(kept, e)
		}
	}
	m.Entries = append(kept, p.Entries...)
}

// next returns a change as a core makes it.
func (m *model) next(rng *rand.Rand) core.Persist {
	last := m.Snapshot.GetMetadata().GetIndex()
	if n := len(m.Entries); n > 0 {
		last = m.Entries[n-1].GetIndex()
	}
	var p core.Persist
	switch rng.IntN(8) {
	case 0:
		p.Hard = &pb.HardState{Term: new(1 + rng.Uint64N(9)), Vote: new(rng.Uint64N(4)), Commit: new(rng.Uint64N(last + 1))}
	case 1: // a snapshot of another voter
		p.Snapshot, p.Reset = snapshot(last+1+rng.Uint64N(5), 1+rng.IntN(3*partSize)), true
	case 2: // the log is cut
		if last > m.Snapshot.GetMetadata().GetIndex() {
			p.Snapshot, p.First = snapshot(last, 1+rng.IntN(2*partSize)), last-rng.Uint64N(3)
		}
	default:
		first := last + 1
		if len(m.Entries) > 1 && rng.IntN(3) == 0 { // a new leader overwrites the end
			first = m.Entries[1+rng.IntN(len(m.Entries)-1)].GetIndex()
		}
		for i := range 1 + rng.Uint64N(4) {
			p.Entries = append(p.Entries, entry(first+i, 1+rng.Uint64N(9)))
		}
	}
	return p
}

func same(want, got core.Saved) error {
	switch {
	case got.Birth != want.Birth || got.CameFrom != want.CameFrom:
		return fmt.Errorf("birth %x after %x, want %x after %x", got.Birth, got.CameFrom, want.Birth, want.CameFrom)
	case !proto.Equal(got.Hard, want.Hard):
		return fmt.Errorf("hard state %v, want %v", got.Hard, want.Hard)
	case !proto.Equal(got.Snapshot, want.Snapshot):
		return fmt.Errorf("a snapshot of %v, want one of %v, or other data", got.Snapshot.GetMetadata(), want.Snapshot.GetMetadata())
	case !slices.EqualFunc(got.Entries, want.Entries, func(a, b *pb.Entry) bool { return proto.Equal(a, b) }):
		return fmt.Errorf("entries %v, want %v", got.Entries, want.Entries)
	}
	return nil
}

func TestWhatWasCommittedIsFoundAgain(t *testing.T) {
	for seed := range uint64(4) {
		rng, dir, m := rand.New(rand.NewPCG(seed, 1)), t.TempDir(), &model{}
		l := open(t, dir, 7)
		first := core.Persist{Birth: 5, CameFrom: 6, Hard: &pb.HardState{Term: new(uint64(1)), Commit: new(uint64(1))}, Snapshot: snapshot(1, 10), Reset: true}
		changes := []core.Persist{first}
		for range 12 {
			for _, p := range changes {
				m.take(p)
			}
			if err := l.Commit(changes); err != nil {
				t.Fatal(err)
			}
			l = reopen(t, l, dir)
			if err := same(m.Saved, saved(t, l)); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			changes = changes[:0]
			ahead := &model{m.Saved}
			for range rng.IntN(4) {
				p := ahead.next(rng)
				ahead.take(p)
				changes = append(changes, p)
			}
		}
		if l.ID() != 7 {
			t.Errorf("the identity is %d, want 7", l.ID())
		}
	}
}

func TestADamagedLogIsPutAsideAndTheMemberIsANewVoter(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 7)
	if err := l.Commit([]core.Persist{{Birth: 5, Snapshot: snapshot(1, 10), Reset: true}, {Entries: []*pb.Entry{entry(2, 1), entry(3, 1)}}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, dir)
	l = open(t, dir, 8)
	if d := saved(t, l); l.ID() != 8 || d.Birth != 0 || len(d.Entries) > 0 || l.Damage() == "" {
		t.Errorf("identity %d, %+v, damage %q, want an empty log of a new identity", l.ID(), d, l.Damage())
	}
}

// damage changes a byte in the middle of each file of the journal or the snapshot.
func damage(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		b, err := os.ReadFile(name)
		if err != nil || len(b) < 40 || strings.Contains(name, "lock") {
			continue
		}
		b[len(b)/3] ^= 0xff
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALogWithAGapIsPutAside(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 7)
	b := batch{log: l}
	b.set(entryKey(5), mustMarshal(t, entry(5, 1)))
	b.set(entryKey(7), mustMarshal(t, entry(7, 1)))
	if err := b.flush(); err != nil {
		t.Fatal(err)
	}
	if l = reopen(t, l, dir); l.ID() != 99 || !strings.Contains(l.Damage(), "entry 7") {
		t.Errorf("identity %d, damage %q, want a new identity because of entry 7", l.ID(), l.Damage())
	}
}

func TestTheSessionOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 7)
	if l.Session() != 0 {
		t.Errorf("a new disk has session %d", l.Session())
	}
	if err := l.SetSession(12); err != nil {
		t.Fatal(err)
	}
	if l = reopen(t, l, dir); l.Session() != 12 {
		t.Errorf("session %d, want 12", l.Session())
	}
}

func mustMarshal(t *testing.T, e *pb.Entry) []byte {
	t.Helper()
	b, err := proto.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
