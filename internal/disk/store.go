package disk

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	lockName      = "lock"
	snapshotName  = "snapshot"
	temporaryName = "snapshot.tmp"
	journalPrefix = "journal-"

	minJournal = 1 << 20 // bytes
	keepBuffer = 1 << 20 // bytes of the buffer kept between commits
)

// Store is an open directory. Its methods may be called at once and in any order. Reading never waits for the
// disk; writers wait for each other.
//
// The disk holds at most a snapshot, another being written, and a journal of four times the live data (at least
// 1 MiB) and one commit, besides what was put aside, which is never removed.
type Store struct {
	fs    FS
	dir   string
	found Found
	lock  io.Closer

	minJournal int64 // bytes of a journal for which no new snapshot is worth while

	writing sync.Mutex // held while files change; guards the fields up to mu. Taken before mu, never after it
	journal File       // of snapshot number; nil after a failure to start it
	size    int64      // bytes of the journal
	next    uint32     // index of its next record
	number  uint64     // the highest that any file may have
	written time.Time  // of the last commit
	failed  error      // why commits are refused; nil: they are not
	closed  bool
	buf     []byte

	// values are what the files hold: the snapshot and the commits of the journal. Only while a commit fails may the files hold one
	// more, of which it is not known whether it is there; failed is set then, until new files are certain to be without it.
	mu     sync.RWMutex
	values values // changed only with both mutexes held
}

var errClosed = errors.New("the store is closed")

// Open locks a directory, made if missing, and reads what is there; a nil fs is the operating system. A damaged
// file is put aside as NAME.damaged-UNIXMS and reported by Found. The error wraps ErrLocked when another process has
// the directory; a newer format and a file that cannot be read are errors too, and change nothing.
//
// When the files are sound but nothing can be written (a full disk), the store opens for reading: Err returns why
// Commit refuses, and Rewrite may repair it.
func Open(dir string, fs FS) (*Store, error) {
	if dir == "" {
		return nil, errors.New("open a store: no directory is named")
	}
	if fs == nil {
		fs = System
	}
	return openWithin(dir, fs, minJournal)
}

func openWithin(dir string, fs FS, minJournal int64) (*Store, error) {
	if err := fs.Mkdir(dir); err != nil {
		return nil, fmt.Errorf("make the store's directory %s: %w", dir, err)
	}
	held, err := fs.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("open the store in %s, which one process at a time can use: %w", dir, err)
	}
	s := &Store{fs: fs, dir: dir, minJournal: minJournal, lock: held}
	if err := s.loadAndRewrite(); err != nil {
		if s.found.Damage != "" {
			err = fmt.Errorf("found damage (%s) and could not put it aside: %w", s.found.Damage, err)
		}
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", dir, err), s.Close())
	}
	return s, nil
}

// loadAndRewrite always ends with a new snapshot, since what is found may never have been synced. A damaged journal is put
// aside after that, because until then it is part of the state.
func (s *Store) loadAndRewrite() error {
	d, err := s.loadFiles()
	if err != nil {
		return err
	}
	s.found, s.values, s.number, s.written = d.found, d.values, d.number, d.found.Written
	if d.restarts { // nothing of the old files is used, so they can go before the new ones exist
		if s.found.Aside, err = s.putAside("damaged", d.aside); err != nil {
			return err
		}
		d.aside = nil
	}
	s.failed = s.replaceFiles(s.values, d.aside)
	if len(d.aside) == 0 {
		return nil
	}
	if s.failed != nil {
		return s.failed
	}
	s.found.Aside, err = s.putAside("damaged", d.aside)
	return err
}

// Found returns what Open found.
func (s *Store) Found() Found {
	f := s.found
	f.Aside = slices.Clone(f.Aside)
	return f
}

// Value returns the value of a key. The slice is the store's and never changes: do not write to it.
func (s *Store) Value(key string) ([]byte, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	value, ok := s.values.of[key]
	return value, ok
}

// All yields the entries as they are when the iteration begins, in the order of the keys. The slices are the store's
// and never change: do not write to them.
func (s *Store) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		s.mu.RLock()
		list := s.values.sortedChanges()
		s.mu.RUnlock()
		for _, c := range list {
			if !yield(c.Key, c.Value) {
				return
			}
		}
	}
}

// Err returns why commits are refused, or nil. It waits for a commit under way.
func (s *Store) Err() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.checkUsable()
}

func (s *Store) checkUsable() error {
	switch {
	case s.closed:
		return fmt.Errorf("store %s: %w", s.dir, errClosed)
	case s.failed != nil:
		return fmt.Errorf("store %s takes no changes until it is rewritten or opened again: %w", s.dir, s.failed)
	}
	return nil
}

// Commit makes changes, all or none; of several to one key the last counts. When it returns nil they survive a loss
// of power. It costs one write and one sync, and a new snapshot each time that the journal has outgrown four times
// the live data and 1 MiB. The values are copied.
//
// After an error of the disk the changes are not seen by readers, but the next Open may find them, all or none,
// and every later Commit fails (Err) until Rewrite succeeds. A change out of bounds is an error that has no
// consequences.
func (s *Store) Commit(changes []Change) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.checkUsable(); err != nil {
		return err
	}
	if len(changes) == 0 {
		return nil
	}
	now := time.Now()
	record, err := s.encodeCommit(now, changes)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
	if err := s.appendRecord(record); err != nil {
		// The record may be on the disk or not. Another one behind it could follow a gap, so nothing is appended to this file again.
		s.failed = err
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
	// Readers see the changes only now: what a reader has seen is never lost with the power.
	s.written = now
	s.mu.Lock()
	for _, c := range changes {
		s.values.applyChange(c)
	}
	s.mu.Unlock()
	// At four times the live data, snapshots add a quarter to what commits write, however large the store is.
	if s.size > max(s.minJournal, 4*s.values.total) {
		s.failed = s.replaceFiles(s.values, nil) // this commit is safe either way
	}
	return nil
}

// encodeCommit encodes a commit into the buffer.
func (s *Store) encodeCommit(now time.Time, changes []Change) ([]byte, error) {
	bytes := int64(0)
	for _, c := range changes {
		if err := c.check(); err != nil {
			return nil, err
		}
		bytes += entryCost(c.Key, c.Value)
	}
	if bytes > maxRecord {
		return nil, fmt.Errorf("a commit of %d bytes, at most %d fit", bytes, maxRecord)
	}
	// A store above the bound, as one of a version with a higher one, still takes what makes it smaller.
	if total := s.values.sizeAfter(changes); total > MaxTotal && total > s.values.total {
		return nil, fmt.Errorf("no room: the store would hold %d bytes, at most %d fit", total, MaxTotal)
	}
	b, at := beginRecord(s.buf[:0])
	b = appendTime(b, now)
	for _, c := range changes {
		b = appendChange(b, c)
	}
	endRecord(b, at, s.next, s.number)
	if s.buf = b; cap(b) > keepBuffer {
		s.buf = nil
	}
	return b, nil
}

// appendRecord writes a record to the journal and syncs it.
func (s *Store) appendRecord(record []byte) error {
	if _, err := s.journal.Write(record); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := s.journal.Sync(); err != nil {
		return fmt.Errorf("sync the journal: %w", err)
	}
	s.size += int64(len(record))
	s.next++
	return nil
}

// Rewrite writes everything again into new files. When it succeeds, commits are taken again; what failed before it is
// then certain not to have happened. It costs as much as the store holds, so call it after a failure, and with a
// growing pause.
func (s *Store) Rewrite() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return s.checkUsable()
	}
	if s.failed = s.replaceFiles(s.values, nil); s.failed != nil {
		return fmt.Errorf("store %s: %w", s.dir, s.failed)
	}
	return nil
}

// SetAside puts the files aside as NAME.aside-UNIXMS and goes on empty, all or nothing. To return to them, rename
// them back while the store is closed. After an error the store refuses commits; call SetAside again.
func (s *Store) SetAside() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return s.checkUsable()
	}
	if s.failed = s.setAside(); s.failed != nil {
		return fmt.Errorf("store %s: %w", s.dir, s.failed)
	}
	return nil
}

// Close gives the directory free. Nothing needs it: what is committed is on the disk.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return errors.Join(s.closeJournal(), s.lock.Close())
}
