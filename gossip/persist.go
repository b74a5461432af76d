package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/internal/disk"
)

// What is kept over a restart, by the beginning of its key.
const (
	keptCluster    = "cluster"    // the cluster ID
	keptGeneration = "generation" // 8 bytes
	keptContact    = "contact"    // when this node last took part in its cluster, the floor of tombstones then, and since when its history goes, 8 bytes each
	keptOwn        = "own/"       // + key: the value
	keptPeer       = "peer/"      // + name: generation, 8 bytes, when it was last up, 8 bytes, then the address
	keptShared     = "shared/"    // + space, 1 byte, and key: as wire has it

	// keptMember is what peers were kept under before their last contact was: + name: generation, 8 bytes, then the address.
	keptMember = "member/"
)

// ErrLocked means that another process, or another node of this one, uses Config.DataDir.
var ErrLocked = disk.ErrLocked

const (
	// heardGap is how long what was heard from others may wait to be written, for company: the others have it too. What this node
	// acknowledges is written at once.
	heardGap = 500 * time.Millisecond
	// A disk that fails is tried again after minRetry, doubling to maxRetry: each time everything is written again.
	minRetry = time.Second
	maxRetry = time.Minute
)

// persist keeps what a node has to know after a restart. A request is answered when its change is on the disk; what was heard from
// others follows in batches. Without a directory it keeps nothing, and answers at once.
type persist struct {
	dir     string // "": none
	cluster string
	files   disk.FS
	log     *asyncLog

	mu      sync.Mutex
	pending map[string]disk.Change // by key: the last one counts
	waiting []chan<- error         // of requests whose changes are pending
	due     time.Time              // when pending is to be written at the latest; zero: nothing is pending
	wake    chan struct{}

	// Owned by Start, then by the goroutine that writes.
	store   *disk.Store // nil: it could not be opened yet
	failed  error       // why
	retryAt time.Time   // no attempt before, after a failure
	pause   time.Duration

	failing atomic.Bool // the last attempt to open or write failed

	ended chan struct{} // closed when the goroutine has ended
	err   error         // of closing the directory; read after ended
}

// remembered is what a node knows of its earlier life.
type remembered struct {
	generation uint64
	own        []core.Set
	state      core.Restore
	migrate    []disk.Change // into the present format
}

// openPersist opens the directory of a node, "" for none. What was kept by a node of another cluster is an error.
func openPersist(c *Config, log *asyncLog) (*persist, remembered, error) {
	p := &persist{dir: c.DataDir, cluster: c.ClusterID, files: c.files, log: log,
		pending: map[string]disk.Change{}, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	if c.DataDir == "" {
		return p, remembered{}, nil
	}
	store, err := disk.Open(c.DataDir, c.files)
	if disk.IsFailing(err) {
		log.Error("cannot open the state on the disk; this node starts without it and tries again", "dir", c.DataDir, "error", err)
		p.failed = err
		p.failing.Store(true)
		p.backOff()
		return p, remembered{}, nil
	}
	if err != nil {
		return nil, remembered{}, err
	}
	p.store = store
	found := store.Found()
	if found.Damage != "" {
		log.Error("the state on the disk is damaged and was put aside; this node starts with what is sound, and with discovery",
			"dir", c.DataDir, "error", found.Damage, "aside", found.Aside)
	}
	if err := checkCluster(store, c.ClusterID); err != nil {
		return nil, remembered{}, errors.Join(fmt.Errorf("%s: %w", c.DataDir, err), store.Close())
	}
	return p, p.readKept(found), nil
}

func checkCluster(store *disk.Store, cluster string) error {
	if was, ok := store.Value(keptCluster); ok && string(was) != cluster {
		return fmt.Errorf("this is the state of a node of the cluster %q, not of %q", was, cluster)
	}
	return nil
}

// readKept reads what is kept.
func (p *persist) readKept(found disk.Found) (r remembered) {
	for key, value := range p.store.All() {
		switch kind, name, _ := strings.Cut(key, "/"); kind + "/" {
		case keptGeneration + "/":
			if len(value) == 8 {
				r.generation = binary.BigEndian.Uint64(value)
			}
		case keptContact + "/":
			if len(value) >= 16 {
				r.state.Contact = core.Moment(binary.BigEndian.Uint64(value))
				r.state.Floor = core.Stamp(binary.BigEndian.Uint64(value[8:]))
			}
			if len(value) == 24 { // a version before this one did not keep it
				r.state.Since = core.Moment(binary.BigEndian.Uint64(value[16:]))
			}
		case keptOwn:
			r.own = append(r.own, core.Set{Key: name, Value: string(value)})
		case keptPeer:
			if len(value) > 16 {
				r.state.Members = append(r.state.Members, core.Remember{ID: name, Generation: binary.BigEndian.Uint64(value),
					Seen: core.Moment(binary.BigEndian.Uint64(value[8:])), Addr: string(value[16:])})
			}
		case keptMember:
			if len(value) > 8 {
				m := core.Remember{ID: name, Generation: binary.BigEndian.Uint64(value), Addr: string(value[8:])}
				r.state.Members = append(r.state.Members, m)
				r.migrate = append(r.migrate, disk.Change{Key: key}, keepPeer(m))
			}
		case keptShared:
			if e, err := wire.DecodeShared(value); err == nil {
				r.state.Shared = append(r.state.Shared, e)
			}
		}
	}
	if r.state.Contact == 0 && !found.Written.IsZero() {
		r.state.Contact = core.MomentAt(found.Written) // of a version that did not keep it
	}
	for i := range r.state.Members {
		if m := &r.state.Members[i]; m.Seen == 0 { // it was up at the end
			m.Seen = r.state.Contact
		}
	}
	return r
}

// beginLife writes the cluster and the generation of this life: no other node learns of it before. When the disk is full or failing it
// logs that and leaves them to be written later; the next generation follows the clock then.
func (p *persist) beginLife(generation uint64, migrate []disk.Change) error {
	if p.dir == "" {
		return nil
	}
	for _, c := range append(migrate, disk.Change{Key: keptCluster, Value: []byte(p.cluster)}, keepGeneration(generation)) {
		p.pending[c.Key] = c
	}
	if p.store == nil {
		p.due = p.retryAt
		return nil
	}
	err := p.commitChanges(p.pending)
	switch {
	case err == nil:
		clear(p.pending)
	case errors.Is(err, fs.ErrPermission):
		return err
	default:
		p.log.Error("cannot write to the disk; this node starts all the same and tries again", "dir", p.dir, "error", err)
		p.due = p.retryAt
	}
	return nil
}

// queueChange has a change written with the next batch.
func (p *persist) queueChange(c disk.Change) {
	if p.dir == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending[c.Key] = c
	if p.due.IsZero() {
		p.due = time.Now().Add(heardGap)
		p.wakeLocked()
	}
}

// flushNow has what is pending written at once.
func (p *persist) flushNow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.due.IsZero() && p.retryAt.IsZero() {
		p.due = time.Now()
		p.wakeLocked()
	}
}

// replyWhenDurable answers a request when all changes kept so far are on the disk.
func (p *persist) replyWhenDurable(reply chan<- error) {
	if p.dir == "" {
		reply <- nil
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, reply)
	p.wakeLocked()
}

func (p *persist) wakeLocked() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake already
	}
}

// start runs the goroutine that writes, until stop is closed and what is pending then is written. It closes the directory; if removed
// returns true, because this node was removed from its cluster, it puts the files aside.
func (p *persist) start(stop <-chan struct{}, failed func(error), removed func() bool) {
	if p.dir == "" {
		close(p.ended)
		return
	}
	go func() { // awaitEnd waits for it, unless the disk hangs
		defer close(p.ended)
		p.runWriter(stop, failed)
		p.err = p.close(removed())
	}()
}

// awaitEnd waits until the goroutine that writes has ended, or for so long, and reports what went wrong.
func (p *persist) awaitEnd(limit time.Duration, failed func(error)) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.ended:
		if p.err != nil {
			failed(p.err)
		}
	case <-timer.C:
		failed(fmt.Errorf("the disk did not answer within %v", limit))
	}
}

// runWriter writes until stop is closed, and what is pending then. What came while one write was on its way goes with the next.
func (p *persist) runWriter(stop <-chan struct{}, failed func(error)) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := p.untilDue()
		if wait <= 0 {
			p.writePending(failed)
			continue
		}
		timer.Reset(wait)
		select {
		case <-p.wake:
		case <-timer.C:
		case <-stop:
			p.retryAt = time.Time{}
			p.writePending(failed)
			return
		}
	}
}

// untilDue returns how long the goroutine that writes may sleep.
func (p *persist) untilDue() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(p.waiting) > 0:
		return 0
	case p.due.IsZero():
		return time.Hour
	}
	return time.Until(p.due)
}

func (p *persist) writePending(failed func(error)) {
	p.mu.Lock()
	changes, replies := p.pending, p.waiting
	p.pending, p.waiting, p.due = map[string]disk.Change{}, nil, time.Time{}
	p.mu.Unlock()
	err := p.commitChanges(changes)
	if err != nil {
		failed(err)
		p.putBack(changes)
		err = fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	for _, r := range replies {
		r <- err // holds one
	}
}

// commitChanges writes changes. After an error before, everything is written again once in a while: a disk that was full may not be so any
// longer.
func (p *persist) commitChanges(changes map[string]disk.Change) error {
	if len(changes) == 0 {
		return nil
	}
	err := p.tryCommit(changes)
	p.failing.Store(err != nil)
	return err
}

// tryCommit writes changes, if it is time to try.
func (p *persist) tryCommit(changes map[string]disk.Change) error {
	if err := p.repairStore(); err != nil {
		return err
	}
	if err := p.store.Commit(slices.Collect(maps.Values(changes))); err != nil {
		p.backOff()
		return err
	}
	p.pause = 0
	return nil
}

// repairStore opens or rewrites a store that failed, if it is time to try.
func (p *persist) repairStore() error {
	err := p.failed
	if p.store != nil {
		err = p.store.Err()
	}
	if err == nil || time.Now().Before(p.retryAt) {
		return err
	}
	if p.store == nil {
		p.store, p.failed = p.openLate()
		err = p.failed
	} else {
		err = p.store.Rewrite()
	}
	if err != nil {
		p.backOff()
	}
	return err
}

// openLate opens a directory that could not be opened at the start. What is found there was not taken into account since then, and
// could bring back what was deleted meanwhile: it is put aside.
func (p *persist) openLate() (*disk.Store, error) {
	store, err := disk.Open(p.dir, p.files)
	if err != nil {
		return nil, err
	}
	err = checkCluster(store, p.cluster)
	if err == nil && !store.Found().Fresh {
		p.log.Warn("the disk can be read again; what was on it is put aside, since this node ran without it", "dir", p.dir)
		err = store.SetAside()
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// backOff has the disk left alone for a while.
func (p *persist) backOff() {
	p.pause = min(max(2*p.pause, minRetry), maxRetry)
	p.retryAt = time.Now().Add(p.pause)
}

// putBack has changes that could not be written go with the next ones.
func (p *persist) putBack(changes map[string]disk.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, c := range changes {
		if _, newer := p.pending[key]; !newer {
			p.pending[key] = c
		}
	}
	p.due = p.retryAt
}

// close closes the directory; aside puts its files aside before.
func (p *persist) close(aside bool) error {
	if p.store == nil {
		return nil
	}
	var err error
	if aside {
		err = p.store.SetAside()
	}
	return errors.Join(err, p.store.Close())
}
