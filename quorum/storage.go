package quorum

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"

	"github.com/goconvoke/convoke/internal/disk"
	"github.com/goconvoke/convoke/quorum/internal/core"
	"github.com/goconvoke/convoke/quorum/internal/logdisk"
)

// identity is what a member is in the quorum as long as it has one disk.
type identity struct {
	voter       uint64 // 0: not eligible
	predecessor uint64 // see core.Config
	damage      string // what was wrong with the files that were put aside
	birth       birthRecord
	saved       core.Saved
}

// storage keeps what a member has to find again. One goroutine writes, so that the loop never waits for a disk; many changes become one
// commit. Without a directory everything counts as kept at once.
type storage struct {
	log     *logdisk.Log // nil: in memory
	cluster string       // the ID of the cluster

	mu       sync.Mutex
	founding []byte // to be noted, nil: nothing
	changes  []core.Persist
	session  uint64        // to be noted, 0: nothing
	wake     chan struct{} // holds one
	stop     chan struct{}
	stopped  chan struct{}
}

// openStorage opens the directory and returns it with what is in it.
func openStorage(dir, cluster string, files disk.FS, eligible bool) (*storage, identity, error) {
	s := &storage{cluster: cluster, wake: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{})}
	id := identity{voter: max(rand.Uint64(), 1)}
	if dir != "" {
		log, err := logdisk.Open(filepath.Join(dir, "quorum"), files, rand.Uint64)
		if err != nil {
			return nil, id, err
		}
		s.log = log
		id.voter, id.predecessor, id.damage = log.ID(), log.Session(), log.Damage()
		if id.saved, err = log.Saved(); err == nil {
			id.birth, err = readFounding(log.Founding(), id.saved.Birth, cluster)
		}
		if err != nil {
			_ = log.Close() // nothing was written
			return nil, id, err
		}
	}
	if !eligible {
		id.voter = 0
	}
	return s, id, nil
}

// readFounding returns the founding that a log belongs to, which was noted before the log began.
func readFounding(noted []byte, of core.Birth, cluster string) (birthRecord, error) {
	if len(noted) == 0 && of == 0 {
		return birthRecord{}, nil
	}
	b, err := parseNote(noted, cluster)
	if err != nil {
		return b, fmt.Errorf("log of the quorum: %w", err)
	}
	if birth, err := parseBirth(b.ID); err != nil || of != 0 && birth != of {
		return b, fmt.Errorf("log of the quorum: it is of birth %x, and %q is noted", uint64(of), b.ID)
	}
	return b, nil
}

// noteFounding queues the founding that the log is about to begin with: it is on the disk before any change that is queued later.
func (s *storage) noteFounding(b birthRecord) {
	if s.log == nil {
		return
	}
	data, err := noteOf(b, s.cluster)
	if err != nil {
		panic(err) // a struct of strings
	}
	s.mu.Lock()
	s.founding = data
	s.mu.Unlock()
	s.signal()
}

// persist queues changes. They count once persisted was called.
func (s *storage) persist(p core.Persist) {
	s.mu.Lock()
	s.changes = append(s.changes, p)
	s.mu.Unlock()
	s.signal()
}

// noteSession queues a session, see logdisk.Log.SetSession.
func (s *storage) noteSession(session uint64) {
	if s.log == nil {
		return
	}
	s.mu.Lock()
	s.session = session
	s.mu.Unlock()
	s.signal()
}

func (s *storage) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes until close. What was written is handed to persisted; after an error, handed to failed, nothing is written any more: the core must
// not go on with a disk of which it does not know what is on it.
func (s *storage) run(persisted func(seq uint64), failed func(error)) {
	defer close(s.stopped)
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
		}
		s.mu.Lock()
		founding, changes, session := s.founding, s.changes, s.session
		s.founding, s.changes, s.session = nil, nil, 0
		s.mu.Unlock()
		if err := s.write(founding, changes, session); err != nil {
			failed(err)
			return
		}
		if n := len(changes); n > 0 {
			persisted(changes[n-1].Seq)
		}
	}
}

func (s *storage) write(founding []byte, changes []core.Persist, session uint64) error {
	if s.log == nil {
		return nil
	}
	if founding != nil {
		if err := s.log.SetFounding(founding); err != nil {
			return err
		}
	}
	if len(changes) > 0 {
		if err := s.log.Commit(changes); err != nil {
			return err
		}
	}
	if session != 0 {
		return s.log.SetSession(session)
	}
	return nil
}

// replace puts what is there aside and begins with something else, under a new identity. It must not be called while run runs.
func (s *storage) replace(with successor, old identity) (identity, error) {
	id := identity{voter: with.id, birth: with.birth, saved: with.saved}
	if old.voter == 0 {
		id.voter = 0
	}
	if s.log == nil {
		return id, nil
	}
	data, err := noteOf(with.birth, s.cluster)
	if err != nil {
		return id, err
	}
	return id, s.log.Replace(with.id, with.saved, data)
}

// close ends run and releases the directory.
func (s *storage) close() error {
	close(s.stop)
	<-s.stopped
	return s.release()
}

// release releases the directory of a storage whose run was never called.
func (s *storage) release() error {
	if s.log == nil {
		return nil
	}
	return s.log.Close()
}
