package gossip

import (
	"context"
	"encoding/binary"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/internal/disk"
)

func keepGeneration(g uint64) disk.Change {
	return disk.Change{Key: keptGeneration, Value: binary.BigEndian.AppendUint64(nil, g)}
}

func keepPeer(m core.Remember) disk.Change {
	value := binary.BigEndian.AppendUint64(nil, m.Generation)
	value = binary.BigEndian.AppendUint64(value, uint64(m.Seen))
	return disk.Change{Key: keptPeer + m.ID, Value: append(value, m.Addr...)}
}

// keepOutput keeps what an output of the core asks to keep.
func (p *persist) keepOutput(out core.Output) {
	if p.dir == "" {
		return
	}
	switch out := out.(type) {
	case core.Remember:
		p.queueChange(keepPeer(out))
	case core.Forget:
		p.queueChange(disk.Change{Key: keptPeer + out.ID})
	case core.Contact:
		value := binary.BigEndian.AppendUint64(nil, uint64(out.At))
		value = binary.BigEndian.AppendUint64(value, uint64(out.Floor))
		p.queueChange(disk.Change{Key: keptContact, Value: binary.BigEndian.AppendUint64(value, uint64(out.Since))})
	case core.RememberShared:
		if out.Entry.Space == core.SpaceMember {
			defer p.flushNow() // a removal is not to be forgotten by a node that dies right after it
		}
		if out.Restored { // it is there already
			return
		}
		p.queueChange(disk.Change{Key: sharedName(out.Entry.Space, out.Entry.Key), Value: wire.AppendShared(nil, out.Entry)})
	case core.ForgetShared:
		p.queueChange(disk.Change{Key: sharedName(out.Space, out.Key)})
	case core.Renewed:
		p.queueChange(keepGeneration(out.Generation))
	}
}

func sharedName(s core.Space, key string) string { return keptShared + string([]byte{byte(s)}) + key }

// keepContact returns when the member that a Join has reached is on the disk, so that a node that dies right after it knows one.
func (n *Node) keepContact(ctx context.Context, hello *core.Hello) error {
	n.persist.keepOutput(core.Remember{ID: hello.ID, Generation: hello.Generation, Addr: hello.Addr})
	kept := make(chan error, 1)
	n.persist.replyWhenDurable(kept)
	select {
	case err := <-kept:
		return err
	case <-n.done:
		return n.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// keepRequest keeps an own key that was written or deleted.
func (p *persist) keepRequest(in core.Input) {
	switch in := in.(type) {
	case core.Set:
		if in.TTL > 0 { // it does not outlive the process, nor does what it replaces
			p.queueChange(disk.Change{Key: keptOwn + in.Key})
			return
		}
		p.queueChange(disk.Change{Key: keptOwn + in.Key, Value: []byte(in.Value)})
	case core.Delete:
		p.queueChange(disk.Change{Key: keptOwn + in.Key})
	}
}
