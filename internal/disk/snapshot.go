package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// batchSize is about how many bytes of a snapshot are written, and read, at once.
const batchSize = 256 << 10

func journalName(number uint64) string { return fmt.Sprintf("%s%016x", journalPrefix, number) }

// journalNumbers returns the numbers of the journals among names, in order.
func journalNumbers(names []string) []uint64 {
	var numbers []uint64
	for _, name := range names {
		digits, _ := strings.CutPrefix(name, journalPrefix)
		n, err := strconv.ParseUint(digits, 16, 64)
		if err == nil && n > 0 && n <= maxNumber && name == journalName(n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func (s *Store) filePath(name string) string { return filepath.Join(s.dir, name) }

// replaceFiles makes v the state in new files: the new journal first, so that no snapshot is ever without one, then the
// snapshot under another name, then the rename, which is the one step between the old state and the new.
// After it the old journals are removed, except those to keep.
func (s *Store) replaceFiles(v values, keep []string) error {
	number := s.number + 1
	if number > maxNumber {
		return errors.New("the numbers of snapshots are used up")
	}
	journal, err := s.startJournal(number)
	if err != nil {
		return err
	}
	// The entries of both new files must be durable before the rename: a rename that survives, of a file that does not, loses the map.
	err = s.writeSnapshot(number, v)
	if err == nil {
		err = s.syncDir()
	}
	if err != nil {
		// The number stays free, so that many failures leave one file at most.
		return errors.Join(err, journal.Close())
	}
	// From here on the new snapshot may be in force, whatever errors follow.
	s.number = number
	err = s.fs.Rename(s.filePath(temporaryName), s.filePath(snapshotName))
	if err == nil {
		err = s.syncDir()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("put the new snapshot into place: %w", err), journal.Close())
	}
	_ = s.closeJournal() // superseded
	// Only now commits go to the new journal: until the rename was durable, the old snapshot could come back, and with it the old journal.
	s.journal, s.size, s.next = journal, startSize, 1
	s.removeOld(keep)
	return nil
}

func (s *Store) startJournal(number uint64) (File, error) {
	f, err := s.createFile(journalName(number))
	if err != nil {
		return nil, fmt.Errorf("start a journal: %w", err)
	}
	_, err = f.Write(appendStart(nil, journalMagic, meta{number: number, written: s.written}))
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a journal: %w", err), f.Close())
	}
	return f, nil
}

// createFile makes a new file even where an interrupted change left one of the name: of a file whose sync failed
// nothing is used again, nor of its entry in the directory.
func (s *Store) createFile(name string) (File, error) {
	if err := s.fs.Remove(s.filePath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s.fs.Create(s.filePath(name))
}

func (s *Store) writeSnapshot(number uint64, v values) error {
	f, err := s.createFile(temporaryName)
	if err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	err = s.fillSnapshot(f, number, v)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	return nil
}

func (s *Store) fillSnapshot(f File, number uint64, v values) error {
	entries := v.sortedChanges()
	b := appendStart(nil, snapshotMagic, meta{number, s.written, uint64(len(entries))})
	for index := uint32(1); len(entries) > 0; index++ {
		at := 0
		b, at = beginRecord(b)
		b = appendTime(b, s.written)
		for len(entries) > 0 && len(b) < batchSize {
			b = appendChange(b, entries[0])
			entries = entries[1:]
		}
		endRecord(b, at, index, number)
		if _, err := f.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	_, err := f.Write(b)
	return err
}

func (s *Store) syncDir() error {
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	return nil
}

// removeOld removes the journals of older snapshots. One that stays does no harm and is removed the next time.
func (s *Store) removeOld(keep []string) {
	names, err := s.fs.Names(s.dir)
	if err != nil {
		return
	}
	for _, n := range journalNumbers(names) {
		if name := journalName(n); n != s.number && !slices.Contains(keep, name) {
			_ = s.fs.Remove(s.filePath(name))
		}
	}
}

func (s *Store) closeJournal() error {
	if s.journal == nil {
		return nil
	}
	err := s.journal.Close()
	s.journal = nil
	return err
}

// putAside renames files and makes that durable one by one, so that a snapshot is gone before its journal.
// It returns the new names.
func (s *Store) putAside(why string, files []string) ([]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	names, err := s.fs.Names(s.dir)
	if err != nil {
		return nil, err
	}
	suffix, aside := asideSuffix(names, why, time.Now()), []string(nil)
	for _, name := range files {
		if err := s.fs.Rename(s.filePath(name), s.filePath(name+suffix)); err != nil {
			return aside, fmt.Errorf("put a file aside: %w", err)
		}
		if err := s.syncDir(); err != nil {
			return aside, err
		}
		aside = append(aside, name+suffix)
	}
	return aside, nil
}

// asideSuffix returns an ending that no name has yet.
func asideSuffix(names []string, why string, now time.Time) string {
	for ms := now.UnixMilli(); ; ms++ {
		suffix := fmt.Sprintf(".%s-%d", why, ms)
		if !slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, suffix) }) {
			return suffix
		}
	}
}

// setAside: the rename of the snapshot is the one step between the old state and none. The journals that it
// leaves behind are without a snapshot and so without meaning.
func (s *Store) setAside() error {
	_ = s.closeJournal() // an open file cannot be renamed everywhere
	names, err := s.fs.Names(s.dir)
	if err != nil {
		return err
	}
	var files []string
	if slices.Contains(names, snapshotName) {
		files = append(files, snapshotName)
	}
	for _, n := range journalNumbers(names) {
		files = append(files, journalName(n))
	}
	aside, err := s.putAside("aside", files)
	// Nothing was renamed, so the old state is whole. Otherwise the snapshot, which is the first, is gone, and with it the state.
	if err != nil && len(aside) == 0 {
		return err
	}
	s.mu.Lock()
	s.values, s.written = newValues(), time.Time{}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.replaceFiles(s.values, nil)
}
