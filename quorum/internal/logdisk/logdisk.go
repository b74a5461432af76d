// Package logdisk keeps on a disk what a core of the quorum has to find again after a restart: its identity, its birth, and the log.
//
// The entries of the log, its hard state and its snapshot are values of an [disk.Store], so that each commit is there as a whole or not at
// all. A snapshot is in parts of at most 256 KiB, written before the commit that makes it the valid one.
package logdisk

import (
	"errors"
	"fmt"
	"strings"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/goconvoke/convoke/internal/disk"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Keys of the store. Numbers are in hexadecimal with leading zeros, so that keys sort as their numbers do.
const (
	keyID       = "raft/id"
	keyBirth    = "raft/birth"
	keyFounding = "raft/founding"
	keyCameFrom = "raft/camefrom" // the birth before it
	keySession  = "raft/session"
	keyHard     = "raft/state"
	keySnapshot = "raft/snapshot"  // the metadata of the valid one
	prefixParts = "raft/snapshot/" // INDEX/PART
	prefixLog   = "raft/log/"      // INDEX
)

const (
	partSize    = 256 << 10 // bytes of a part of a snapshot
	commitBytes = 4 << 20   // bytes of entries and parts in one commit of the store, about
)

// Log is an open directory. Its methods must not be called at once.
type Log struct {
	store *disk.Store
	id    uint64
	first uint64 // index of the first entry on the disk, 0 if there is none
	last  uint64
	snap  uint64 // index of the valid snapshot
	aside string // see Damage
}

// Open opens a directory, made if missing; newID returns a random number for a disk that has no identity yet.
//
// A log that is damaged is worth nothing: a voter that has forgotten a vote or an entry it acknowledged breaks what the others rely on. Such
// a directory is put aside and the member begins with an empty log and a new identity, as one that lost its disk.
func Open(dir string, fs disk.FS, newID func() uint64) (*Log, error) {
	store, err := disk.Open(dir, fs)
	if err != nil {
		return nil, fmt.Errorf("log of the quorum: %w", err)
	}
	l := &Log{store: store, aside: store.Found().Damage}
	if err := l.begin(newID); err != nil {
		return nil, errors.Join(fmt.Errorf("log of the quorum in %s: %w", dir, err), store.Close())
	}
	return l, nil
}

func (l *Log) begin(newID func() uint64) error {
	if l.aside == "" {
		if _, err := l.Saved(); err != nil {
			l.aside = err.Error()
		}
	}
	if l.aside != "" {
		if err := l.store.SetAside(); err != nil {
			return err
		}
		l.first, l.last, l.snap = 0, 0, 0
	}
	if b, ok := l.store.Value(keyID); ok {
		l.id = number(b)
		return nil
	}
	l.id = max(newID(), 1)
	return l.store.Commit([]disk.Change{{Key: keyID, Value: protowire.AppendVarint(nil, l.id)}})
}

// ID returns the identity that belongs to this disk.
func (l *Log) ID() uint64 { return l.id }

// Damage returns what was wrong with the files that Open put aside; "" if they were sound.
func (l *Log) Damage() string { return l.aside }

// Session returns what the last SetSession left, 0 if there was none.
func (l *Log) Session() uint64 {
	b, _ := l.store.Value(keySession)
	return number(b)
}

// SetSession notes the session of this process. The next process may take its place at once, as the lock of the directory
// proves that this one has ended.
func (l *Log) SetSession(session uint64) error {
	return l.store.Commit([]disk.Change{{Key: keySession, Value: protowire.AppendVarint(nil, session)}})
}

// Founding returns what the last SetFounding left, nil if there was none.
func (l *Log) Founding() []byte {
	b, _ := l.store.Value(keyFounding)
	return b
}

// SetFounding notes what the shell knows of the birth that the log belongs to.
func (l *Log) SetFounding(b []byte) error {
	return l.store.Commit([]disk.Change{{Key: keyFounding, Value: b}})
}

// Replace puts the log aside and goes on with another one, of another birth, under a new identity. After an error the directory may be
// empty; what it held is beside it.
func (l *Log) Replace(id uint64, with core.Saved, founding []byte) error {
	if err := l.store.SetAside(); err != nil {
		return fmt.Errorf("log of the quorum: %w", err)
	}
	l.first, l.last, l.snap = 0, 0, 0
	l.id = id
	if err := l.store.Commit([]disk.Change{{Key: keyID, Value: protowire.AppendVarint(nil, l.id)}, {Key: keyFounding, Value: founding}}); err != nil {
		return fmt.Errorf("log of the quorum: %w", err)
	}
	return l.Commit([]core.Persist{{Birth: with.Birth, CameFrom: with.CameFrom, Hard: with.Hard, Snapshot: with.Snapshot, Entries: with.Entries}})
}

// Close releases the directory.
func (l *Log) Close() error { return l.store.Close() }

// Saved returns what is on the disk. An error means that it contradicts itself.
func (l *Log) Saved() (core.Saved, error) {
	var d core.Saved
	if b, ok := l.store.Value(keyBirth); ok {
		d.Birth = core.Birth(number(b))
	}
	if b, ok := l.store.Value(keyCameFrom); ok {
		d.CameFrom = core.Birth(number(b))
	}
	if b, ok := l.store.Value(keyHard); ok {
		d.Hard = &pb.HardState{}
		if err := proto.Unmarshal(b, d.Hard); err != nil {
			return d, fmt.Errorf("the hard state: %w", err)
		}
	}
	var err error
	if d.Snapshot, err = l.snapshot(); err != nil {
		return d, err
	}
	d.Entries, err = l.entries()
	return d, err
}

func (l *Log) entries() ([]*pb.Entry, error) {
	var out []*pb.Entry
	l.first, l.last = 0, l.snap
	for key, value := range l.store.All() {
		if !strings.HasPrefix(key, prefixLog) {
			continue
		}
		e := &pb.Entry{}
		if err := proto.Unmarshal(value, e); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if key != entryKey(e.GetIndex()) || len(out) > 0 && e.GetIndex() != l.last+1 {
			return nil, fmt.Errorf("%s is entry %d, the one before is %d", key, e.GetIndex(), l.last)
		}
		if l.first == 0 {
			l.first = e.GetIndex()
		}
		l.last = e.GetIndex()
		out = append(out, e)
	}
	if len(out) > 0 && l.first > l.snap+1 {
		return nil, fmt.Errorf("the log begins at %d, the snapshot is of %d", l.first, l.snap)
	}
	return out, nil
}

// number reads a number that was written by this package; 0 if it is not there.
func number(b []byte) uint64 {
	n, _ := protowire.ConsumeVarint(b)
	return n
}

func entryKey(index uint64) string { return fmt.Sprintf("%s%016x", prefixLog, index) }
