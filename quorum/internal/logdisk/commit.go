package logdisk

import (
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/goconvoke/convoke/internal/disk"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Commit makes changes durable, in their order; when it returns nil all may be acknowledged by the last one. Changes without a
// snapshot are in one commit of the disk each time that they have grown to some megabytes. After an error none
// of the rest is there, and the member must not go on as a voter before it was restarted.
func (l *Log) Commit(changes []core.Persist) error {
	b := batch{log: l}
	for _, p := range changes {
		if err := b.add(p); err != nil {
			return fmt.Errorf("log of the quorum: %w", err)
		}
		if b.bytes > commitBytes {
			if err := b.flush(); err != nil {
				return fmt.Errorf("log of the quorum: %w", err)
			}
		}
	}
	if err := b.flush(); err != nil {
		return fmt.Errorf("log of the quorum: %w", err)
	}
	return nil
}

// batch collects changes of the store for one commit.
type batch struct {
	log     *Log
	changes []disk.Change
	bytes   int
}

func (b *batch) set(key string, value []byte) {
	b.changes = append(b.changes, disk.Change{Key: key, Value: value})
	b.bytes += len(key) + len(value)
}

func (b *batch) flush() error {
	err := b.log.store.Commit(b.changes)
	b.changes, b.bytes = nil, 0
	return err
}

// add adds what one Persist changes.
func (b *batch) add(p core.Persist) error {
	if p.Snapshot != nil {
		if err := b.addSnapshot(p.Snapshot); err != nil {
			return err
		}
	}
	if p.CameFrom != 0 {
		b.set(keyCameFrom, protowire.AppendVarint(nil, uint64(p.CameFrom)))
	}
	if p.Birth != 0 {
		b.set(keyBirth, protowire.AppendVarint(nil, uint64(p.Birth)))
	}
	if p.Hard != nil {
		raw, err := proto.Marshal(p.Hard)
		if err != nil {
			return err
		}
		b.set(keyHard, raw)
	}
	if p.Reset {
		b.dropFrom(b.log.first)
		b.log.last = b.log.snap
	}
	if err := b.addEntries(p.Entries); err != nil {
		return err
	}
	b.dropBefore(p.First)
	return nil
}

// addEntries writes entries in the place of all that were there from the first of them on.
func (b *batch) addEntries(entries []*pb.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	l := b.log
	first := entries[0].GetIndex()
	if l.first != 0 && first > l.last+1 {
		return fmt.Errorf("entry %d does not follow on %d", first, l.last)
	}
	if l.first != 0 {
		b.dropFrom(max(first, l.first))
	}
	for _, e := range entries {
		raw, err := proto.Marshal(e)
		if err != nil {
			return err
		}
		b.set(entryKey(e.GetIndex()), raw)
	}
	if l.first == 0 || first < l.first {
		l.first = first
	}
	l.last = entries[len(entries)-1].GetIndex()
	return nil
}

// dropFrom removes the entries from an index on.
func (b *batch) dropFrom(index uint64) {
	l := b.log
	if l.first == 0 {
		return
	}
	for i := index; i <= l.last; i++ {
		b.set(entryKey(i), nil)
	}
	if index <= l.first {
		l.first = 0
	}
	l.last = index - 1
}

// dropBefore removes the entries below an index.
func (b *batch) dropBefore(index uint64) {
	l := b.log
	for l.first != 0 && l.first < index && l.first <= l.last {
		b.set(entryKey(l.first), nil)
		l.first++
	}
	if l.first > l.last {
		l.first = 0
	}
}
