package logdisk

import (
	"fmt"
	"strings"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func partKey(index uint64, part int) string {
	return fmt.Sprintf("%s%016x/%08x", prefixParts, index, part)
}

// addSnapshot writes the parts of a snapshot, in commits of their own, and adds what makes it the valid one.
func (b *batch) addSnapshot(s *pb.Snapshot) error {
	index, data := s.GetMetadata().GetIndex(), s.GetData()
	if err := b.flush(); err != nil { // what came before keeps its place
		return err
	}
	for part := 0; part*partSize < len(data); part++ {
		b.set(partKey(index, part), data[part*partSize:min(len(data), (part+1)*partSize)])
		if b.bytes > commitBytes {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	meta, err := proto.Marshal(s.GetMetadata())
	if err != nil {
		return err
	}
	b.set(keySnapshot, append(protowire.AppendVarint(nil, uint64(len(data))), meta...))
	for key := range b.log.store.All() {
		if strings.HasPrefix(key, prefixParts) && !strings.HasPrefix(key, partKey(index, 0)[:len(prefixParts)+16]) {
			b.set(key, nil)
		}
	}
	b.log.snap = index
	return nil
}

// snapshot reads the valid snapshot, nil if there is none.
func (l *Log) snapshot() (*pb.Snapshot, error) {
	l.snap = 0
	raw, ok := l.store.Value(keySnapshot)
	if !ok {
		return nil, nil
	}
	size, n := protowire.ConsumeVarint(raw)
	meta := &pb.SnapshotMetadata{}
	if err := proto.Unmarshal(raw[max(n, 0):], meta); err != nil || n < 0 {
		return nil, fmt.Errorf("the snapshot cannot be read: %w", err)
	}
	l.snap = meta.GetIndex()
	var data []byte
	for part := 0; uint64(len(data)) < size; part++ {
		b, ok := l.store.Value(partKey(l.snap, part))
		if !ok || len(b) == 0 {
			return nil, fmt.Errorf("the snapshot has %d bytes of %d", len(data), size)
		}
		data = append(data, b...)
	}
	if uint64(len(data)) != size {
		return nil, fmt.Errorf("the snapshot has %d bytes, want %d", len(data), size)
	}
	return &pb.Snapshot{Metadata: meta, Data: data}, nil
}
