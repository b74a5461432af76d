package disk

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Found describes what Open found.
type Found struct {
	Fresh   bool      // nothing was there
	Written time.Time // of the last commit found, in ms; zero when there was none
	Torn    int64     // bytes cut off: a commit that the end of the process or of the power interrupted

	Damage string   // what was wrong, with the names of the files; empty when all was sound
	Aside  []string // the names under which damaged files now lie in the directory
}

// directory is what loadFiles makes of the files.
type directory struct {
	found    Found
	values   values
	number   uint64   // the highest of any file
	current  uint64   // of a sound snapshot, else 0
	aside    []string // files to put aside
	restarts bool     // nothing of the files is used
	problems []string
}

func (d *directory) addProblem(name string, format string, args ...any) {
	d.problems = append(d.problems, name+": "+fmt.Sprintf(format, args...))
}

// loadFiles reads the directory and changes nothing in it: an error in the middle, of a disk or of a newer version, must leave all as it
// was found. What is to be put aside is only noted.
func (s *Store) loadFiles() (*directory, error) {
	names, err := s.fs.Names(s.dir)
	if err != nil {
		return nil, err
	}
	d := &directory{values: newValues()}
	// The snapshot is read first: its number decides which of the journals is replayed.
	exists := slices.Contains(names, snapshotName)
	if exists {
		if err := s.loadSnapshot(d); err != nil {
			return nil, err
		}
	}
	// The others are read too, though not replayed: commits in one of them mean that a newer snapshot was lost.
	for _, n := range journalNumbers(names) {
		if err := s.loadJournal(d, n); err != nil {
			return nil, err
		}
	}
	switch {
	// replaceFiles starts the journal before the snapshot gets its name, so a snapshot without one has lost it.
	case d.current > 0 && !slices.Contains(journalNumbers(names), d.current):
		d.addProblem(journalName(d.current), "it is missing")
	// Without a sound snapshot a journal has nothing to build on, and part of a map may mean something else than none.
	case d.current == 0:
		d.restarts = true
	}
	d.found.Fresh = !exists && len(d.problems) == 0
	d.found.Damage = strings.Join(d.problems, "; ")
	return d, nil
}

func (s *Store) loadSnapshot(d *directory) error {
	v := newValues()
	c, err := s.readFile(snapshotName, snapshotMagic, 0, v.applyChange)
	if err != nil {
		return err
	}
	d.number = c.meta.number
	switch {
	case c.damage != nil:
		d.addProblem(snapshotName, "%v", c.damage)
	// A snapshot is synced before it gets its name, so an incomplete one is damage and not the trace of a loss of power.
	case !c.started || c.torn > 0 || uint64(len(v.of)) != c.meta.entries:
		d.addProblem(snapshotName, "it holds %d of %d entries", len(v.of), c.meta.entries)
	default:
		d.current, d.values, d.found.Written = c.meta.number, v, c.meta.written
		return nil
	}
	d.aside = append(d.aside, snapshotName)
	return nil
}

// loadJournal replays the journal of the snapshot. Others are there after an interrupted change of the snapshot:
// an older one has served, a newer one holds no commit yet, unless something is wrong.
func (s *Store) loadJournal(d *directory, number uint64) error {
	name, apply := journalName(number), func(Change) {}
	if number == d.current {
		apply = d.values.applyChange
	}
	// Also a journal that is not used keeps its number from being given again: a later file of that number must not be taken for its pair.
	d.number = max(d.number, number)
	c, err := s.readFile(name, journalMagic, number, apply)
	if err != nil {
		return err
	}
	before := len(d.problems)
	switch {
	case c.damage != nil:
		d.addProblem(name, "%v", c.damage)
	case c.started && c.meta.number != number:
		d.addProblem(name, "it is the journal of snapshot %d", c.meta.number)
	case number == d.current && !c.started:
		d.addProblem(name, "it has no beginning")
	case number > d.current && c.batches > 0 && d.current == 0:
		d.addProblem(name, "it has no sound snapshot to go with")
	case number > d.current && c.batches > 0:
		d.addProblem(name, "the snapshot is older, number %d", d.current)
	}
	if len(d.problems) > before {
		d.aside = append(d.aside, name)
	}
	// What was cut off counts only in the journal in force; an unfinished start of another one was never in use.
	if number == d.current {
		d.found.Torn = c.torn
		if c.started {
			d.found.Written = c.written
		}
	}
	return nil
}
