package gossip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/disk"
	"github.com/goconvoke/convoke/gossip/wire"
)

// What is kept over a restart, by the beginning of its name.
const (
	keptCluster    = "cluster"    // the cluster ID
	keptGeneration = "generation" // 8 bytes
	keptContact    = "contact"    // until when this node took part, 8 bytes, and the floor of the tombstones, 8 bytes
	keptOwn        = "own/"       // + key: the value
	keptMember     = "member/"    // + name: generation, 8 bytes, then the address
	keptShared     = "shared/"    // + space, 1 byte, and key: as wire has it
)

// memory keeps what a node has to know after a restart. What was asked of the node is answered when it is on the disk; what it
// heard from others follows soon: they have it too. Without a directory it keeps nothing, and answers at once.
type memory struct {
	store *disk.Store

	mu      sync.Mutex
	pending map[string]disk.Change // by key: the last one counts
	waiting []chan<- error         // of requests whose changes are pending
	wake    chan struct{}

	mendAt time.Time // no attempt to mend the disk before; of the goroutine that writes
	pause  time.Duration
}

// A disk that fails is tried again after minMend, doubling to maxMend: writing all anew is a lot to ask of it.
const (
	minMend = time.Second
	maxMend = time.Minute
)

// remembered is what a node knows of its earlier life.
type remembered struct {
	generation uint64
	own        []core.Set
	state      core.Restore
}

// openMemory opens the directory of a node, "" for none. What was kept by a node of another cluster is an error.
func openMemory(c *Config) (*memory, remembered, error) {
	m := &memory{pending: map[string]disk.Change{}, wake: make(chan struct{}, 1)}
	if c.DataDir == "" {
		return m, remembered{}, nil
	}
	store, err := disk.Open(c.DataDir, c.files)
	if err != nil {
		return nil, remembered{}, err
	}
	m.store = store
	found := store.Found()
	if found.Damage != "" {
		c.Log.Error("what was kept is damaged and was put aside; this node starts with what is sound, and with discovery",
			"dir", c.DataDir, "error", found.Damage, "aside", found.Aside)
	}
	r, err := m.recall(c.ClusterID)
	if err != nil {
		_ = store.Close()
		return nil, r, fmt.Errorf("%s: %w", c.DataDir, err)
	}
	return m, r, nil
}

// recall reads what is kept.
func (m *memory) recall(cluster string) (r remembered, err error) {
	if was, ok := m.store.Value(keptCluster); ok && string(was) != cluster {
		return r, fmt.Errorf("this is the state of a node of the cluster %q, not of %q", was, cluster)
	}
	for key, value := range m.store.All() {
		switch kind, name, _ := strings.Cut(key, "/"); kind + "/" {
		case keptGeneration + "/":
			if len(value) == 8 {
				r.generation = binary.BigEndian.Uint64(value)
			}
		case keptContact + "/":
			if len(value) == 16 {
				r.state.Contact = core.Moment(binary.BigEndian.Uint64(value))
				r.state.Floor = core.Stamp(binary.BigEndian.Uint64(value[8:]))
			}
		case keptOwn:
			r.own = append(r.own, core.Set{Key: name, Value: string(value)})
		case keptMember:
			if len(value) > 8 {
				r.state.Members = append(r.state.Members, core.Remember{ID: name, Generation: binary.BigEndian.Uint64(value), Addr: string(value[8:])})
			}
		case keptShared:
			if e, err := wire.DecodeShared(value); err == nil {
				r.state.Shared = append(r.state.Shared, e)
			}
		}
	}
	return r, nil
}

// begin puts the cluster and the generation of this life on the disk: nobody hears of it before.
func (m *memory) begin(cluster string, generation uint64) error {
	if m.store == nil {
		return nil
	}
	return m.store.Commit([]disk.Change{{Key: keptCluster, Value: []byte(cluster)}, keepGeneration(generation)})
}

func keepGeneration(g uint64) disk.Change {
	return disk.Change{Key: keptGeneration, Value: binary.BigEndian.AppendUint64(nil, g)}
}

// keep has a change written with the next ones.
func (m *memory) keep(c disk.Change) {
	if m.store == nil {
		return
	}
	m.mu.Lock()
	m.pending[c.Key] = c
	m.mu.Unlock()
	m.rouse()
}

// answer answers a request when all changes kept so far are on the disk.
func (m *memory) answer(reply chan<- error) {
	if m.store == nil {
		reply <- nil
		return
	}
	m.mu.Lock()
	m.waiting = append(m.waiting, reply)
	m.mu.Unlock()
	m.rouse()
}

func (m *memory) rouse() {
	select {
	case m.wake <- struct{}{}:
	default: // it is awake already
	}
}

// run writes until stop is closed, and what is pending then. All that came while one write was on its way goes with the next; what
// could not be written goes when the disk can be mended.
func (m *memory) run(stop <-chan struct{}, failed func(error)) {
	for {
		var mend <-chan time.Time
		if m.pause > 0 {
			mend = time.After(time.Until(m.mendAt))
		}
		select {
		case <-m.wake:
		case <-mend:
		case <-stop:
			m.mendAt = time.Time{}
			m.write(failed)
			return
		}
		m.write(failed)
	}
}

func (m *memory) write(failed func(error)) {
	m.mu.Lock()
	changes, replies := m.pending, m.waiting
	m.pending, m.waiting = map[string]disk.Change{}, nil
	m.mu.Unlock()
	err := m.commit(changes)
	if err != nil {
		failed(err)
		m.restore(changes)
		err = fmt.Errorf("done, but not on the disk: %w", err)
	}
	for _, r := range replies {
		r <- err // holds one
	}
}

// commit puts changes on the disk. After an error before, all is written anew once in a while: a disk that was full may not be so any
// longer.
func (m *memory) commit(changes map[string]disk.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if err := m.store.Err(); err != nil {
		if time.Now().Before(m.mendAt) {
			return err
		}
		if err := m.store.Rewrite(); err != nil {
			m.putOff()
			return err
		}
	}
	if err := m.store.Commit(slices.Collect(maps.Values(changes))); err != nil {
		m.putOff()
		return err
	}
	m.pause = 0
	return nil
}

// putOff has the disk left alone for a while.
func (m *memory) putOff() {
	m.pause = min(max(2*m.pause, minMend), maxMend)
	m.mendAt = time.Now().Add(m.pause)
}

// restore has changes that could not be written go with the next ones.
func (m *memory) restore(changes map[string]disk.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, c := range changes {
		if _, newer := m.pending[key]; !newer {
			m.pending[key] = c
		}
	}
}

// keepOutput keeps what an output of the core says.
func (m *memory) keepOutput(out core.Output) {
	if m.store == nil {
		return
	}
	switch out := out.(type) {
	case core.Remember:
		m.keep(disk.Change{Key: keptMember + out.ID, Value: append(binary.BigEndian.AppendUint64(nil, out.Generation), out.Addr...)})
	case core.Forget:
		m.keep(disk.Change{Key: keptMember + out.ID})
	case core.Contact:
		m.keep(disk.Change{Key: keptContact, Value: binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(out.At)), uint64(out.Floor))})
	case core.RememberShared:
		if out.Restored {
			return // it is from there
		}
		m.keep(disk.Change{Key: sharedName(out.Entry.Space, out.Entry.Key), Value: wire.AppendShared(nil, out.Entry)})
	case core.ForgetShared:
		m.keep(disk.Change{Key: sharedName(out.Space, out.Key)})
	case core.Renewed:
		m.keep(keepGeneration(out.Generation))
	}
}

func sharedName(s core.Space, key string) string { return keptShared + string([]byte{byte(s)}) + key }

// keepContact returns when the member that answered a call is on the disk, so that a node that dies right after knows whom to call.
func (n *Node) keepContact(ctx context.Context, hello *core.Hello) error {
	n.memory.keepOutput(core.Remember{ID: hello.ID, Generation: hello.Generation, Addr: hello.Addr})
	kept := make(chan error, 1)
	n.memory.answer(kept)
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
func (m *memory) keepRequest(in core.Input) {
	switch in := in.(type) {
	case core.Set:
		if in.TTL > 0 { // it does not outlive the process, nor does what it replaces
			m.keep(disk.Change{Key: keptOwn + in.Key})
			return
		}
		m.keep(disk.Change{Key: keptOwn + in.Key, Value: []byte(in.Value)})
	case core.Delete:
		m.keep(disk.Change{Key: keptOwn + in.Key})
	}
}

// end closes the directory; aside puts its files aside, since this node was removed.
func (m *memory) end(aside bool) error {
	if m.store == nil {
		return nil
	}
	var err error
	if aside {
		err = m.store.SetAside()
	}
	return errors.Join(err, m.store.Close())
}
