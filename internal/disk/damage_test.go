package disk

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// history writes a snapshot and a journal of three commits into a directory and returns the two files and the states
// after the snapshot and after each commit.
func history(t testing.TB, dir string) (snapshot, journal string, states []map[string]string) {
	t.Helper()
	s := openStore(t, dir, nil)
	note := func() { states = append(states, state(s)) }
	commit(t, s, set("a", "first"), set("b", "second"), set("c", strings.Repeat("third", 9)))
	if err := s.Rewrite(); err != nil {
		t.Fatal(err)
	}
	note()
	for _, c := range [][]Change{{set("a", "changed"), remove("b")}, {set("d", "new")}, {set("a", ""), set("e", "last")}} {
		commit(t, s, c...)
		note()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s.filePath(snapshotName), s.filePath(journalName(s.number)), states
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// harm opens a copy of two files, one of them harmed, in memory.
func harm(t *testing.T, files map[string][]byte) (*Store, *memory) {
	t.Helper()
	m := newMemory(1)
	for name, b := range files {
		m.names[name] = &inode{seen: b, durable: b}
	}
	m.durable = maps.Clone(m.names)
	s, err := Open("/d", m)
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

func TestDamageOfAnyByteIsReportedAndPutAside(t *testing.T) {
	snapshot, journal, states := history(t, t.TempDir())
	files := map[string][]byte{}
	for _, name := range []string{snapshot, journal} {
		files[filepath.Base(name)] = readFile(t, name)
	}
	for name, sound := range files {
		for i := range sound {
			for _, flip := range []byte{0x01, 0x80, 0xff} {
				harmed := slices.Clone(sound)
				harmed[i] ^= flip
				t.Run(fmt.Sprintf("%s byte %d", name, i), func(t *testing.T) { checkHarmed(t, files, name, harmed, states) })
			}
			t.Run(fmt.Sprintf("%s cut at %d", name, i), func(t *testing.T) { checkHarmed(t, files, name, sound[:i], states) })
		}
		t.Run(name+" with more behind", func(t *testing.T) {
			checkHarmed(t, files, name, append(slices.Clone(sound), "more"...), states)
		})
	}
}

// checkHarmed wants the state of some commit, reported to be so; with a harmed snapshot none; and a sound store the
// next time.
func checkHarmed(t *testing.T, files map[string][]byte, name string, harmed []byte, states []map[string]string) {
	files = maps.Clone(files)
	files[name] = harmed
	s, m := harm(t, files)
	found, got := s.Found(), state(s)
	same := func(want map[string]string) bool { return maps.Equal(got, want) }
	switch {
	case name == snapshotName && (found.Damage == "" || len(got) != 0):
		t.Fatalf("a damaged snapshot gave %v, %+v", got, found)
	case name != snapshotName && !slices.ContainsFunc(states, same):
		t.Fatalf("a damaged journal gave %v, want a state that was", got)
	case found.Damage == "" && found.Torn == 0 && !atCommit(harmed):
		t.Fatalf("reported nothing of the damage: %+v", found)
	case found.Damage == "" && len(found.Aside) > 0, found.Damage != "" && len(found.Aside) == 0:
		t.Fatalf("put aside %v with damage %q", found.Aside, found.Damage)
	}
	if found.Damage != "" && !slices.ContainsFunc(found.Aside, func(a string) bool {
		return m.names[a] != nil && string(m.names[a].durable) == string(harmed)
	}) {
		t.Fatalf("the damaged file is not among %v", found.Aside)
	}
	again := reopen(t, s)
	wantState(t, again, got)
	if f := again.Found(); f.Damage != "" || f.Torn != 0 || f.Fresh {
		t.Fatalf("the next Open found %+v", f)
	}
}

// atCommit reports whether a journal ends where a commit ended, so that nothing can be reported.
func atCommit(journal []byte) bool {
	ok := len(journal) >= startSize
	for i := startSize; ok && i < len(journal); {
		var h header
		if len(journal)-i < headerSize {
			return false
		}
		h, ok = parseHeader(journal[i:], 2)
		i += headerSize + int(h.length)
		ok = ok && i <= len(journal)
	}
	return ok
}

func TestFilesThatDoNotBelongTogetherAreReported(t *testing.T) {
	dir := t.TempDir()
	snapshot, journal, states := history(t, dir)
	first, second := readFile(t, snapshot), readFile(t, journal)
	name := filepath.Base(journal)
	for what, c := range map[string]struct {
		files    map[string][]byte
		want     map[string]string
		reported string
	}{
		"a snapshot without its journal": {map[string][]byte{snapshotName: first}, states[0], "missing"},
		"a journal without its snapshot": {map[string][]byte{name: second}, nil, "no sound snapshot"},
		"a journal under another number": {map[string][]byte{snapshotName: first, name: second, journalName(9): second}, states[3], "journal of snapshot"},
		"two journals for one snapshot":  {map[string][]byte{snapshotName: first, name: second, journalName(1): second}, states[3], "journal of snapshot"},
		"an empty snapshot":              {map[string][]byte{snapshotName: {}, name: second}, nil, "entries"},
		"an empty journal":               {map[string][]byte{snapshotName: first, name: {}}, states[0], "no beginning"},
		"zeros for a journal":            {map[string][]byte{snapshotName: first, name: make([]byte, 999)}, states[0], "no beginning"},
	} {
		t.Run(what, func(t *testing.T) {
			s, _ := harm(t, c.files)
			if c.want == nil {
				c.want = map[string]string{}
			}
			wantState(t, s, c.want)
			if f := s.Found(); !strings.Contains(f.Damage, c.reported) || f.Fresh {
				t.Errorf("Found() = %+v, want damage with %q", f, c.reported)
			}
			commit(t, s, set("z", "z"))
			again := reopen(t, s)
			if f := again.Found(); f.Damage != "" {
				t.Errorf("the next Open found %+v", f)
			}
			if _, ok := again.Value("z"); !ok {
				t.Error("lost a commit")
			}
		})
	}
}

// A file that grew just before a loss of power may show what an older journal left in those blocks of the disk.
func TestARecordOfAnOlderJournalIsNotReplayed(t *testing.T) {
	snapshot, journal, states := history(t, t.TempDir())
	stale, at := beginRecord(readFile(t, journal))
	stale = appendChange(appendTime(stale, time.UnixMilli(1)), set("a", "stale"))
	endRecord(stale, at, 4, 1)
	s, _ := harm(t, map[string][]byte{snapshotName: readFile(t, snapshot), filepath.Base(journal): stale})
	wantState(t, s, states[3])
	if f := s.Found(); f.Torn != int64(len(stale)-at) || f.Damage != "" {
		t.Errorf("Found() = %+v, want the stale record cut off", f)
	}
}

func TestANewerFormatIsAnErrorThatTouchesNothing(t *testing.T) {
	for _, newer := range []string{snapshotName, "journal"} {
		t.Run(newer, func(t *testing.T) {
			dir := t.TempDir()
			snapshot, journal, _ := history(t, dir)
			path := map[string]string{snapshotName: snapshot, "journal": journal}[newer]
			b := readFile(t, path)
			b[8]++
			copy(b[12:16], le32(checksum(b[:12])))
			writeFile(t, path, b)
			before := listing(t, dir)
			_, err := Open(dir, nil)
			if err == nil || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), path) {
				t.Errorf("Open() = %v, want an error that names version 2 and %s", err, path)
			}
			if after := listing(t, dir); !maps.Equal(before, after) {
				t.Errorf("the directory changed from %v to %v", slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)))
			}
		})
	}
}

func le32(n uint32) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)} }

func listing(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string]string)
	for _, e := range entries {
		m[e.Name()] = string(readFile(t, filepath.Join(dir, e.Name())))
	}
	return m
}

// Open puts damage aside in several steps; wherever they are cut short, what is sound stays.
func TestFailuresWhileDamageIsPutAsideLoseNothing(t *testing.T) {
	dir := t.TempDir()
	snapshot, journal, states := history(t, dir)
	name := filepath.Base(journal)
	sound := map[string][]byte{snapshotName: readFile(t, snapshot), name: readFile(t, journal)}
	for what, c := range map[string]struct {
		file string
		at   int
		want map[string]string
	}{
		"the snapshot": {snapshotName, preludeSize + headerSize + metaSize + 30, map[string]string{}},
		"the journal":  {name, len(sound[name]) - 50, states[1]},
	} {
		t.Run(what, func(t *testing.T) {
			files := maps.Clone(sound)
			files[c.file] = slices.Clone(sound[c.file])
			files[c.file][c.at] ^= 1
			for _, fault := range []error{errPower, errIO, errSpace} {
				for at := range 40 {
					for seed := range uint64(10) {
						interrupted(t, files, c.want, seed, at, fault)
					}
				}
			}
		})
	}
}

// interrupted opens damaged files with one operation failing, then again after a loss of power.
func interrupted(t *testing.T, files map[string][]byte, want map[string]string, seed uint64, at int, fault error) {
	t.Helper()
	m := newMemory(seed)
	for name, b := range files {
		m.names[name] = &inode{seen: b, durable: b}
	}
	m.durable = maps.Clone(m.names)
	m.fault = func() error {
		if m.step == at+1 {
			return fault
		}
		return nil
	}
	reported := false
	for range 2 {
		if s, err := Open("/d", m); err == nil {
			wantState(t, s, want)
			reported = reported || s.Found().Damage != ""
		} else {
			reported = reported || strings.Contains(err.Error(), "damage")
		}
		m.restart(true)
	}
	s := openStore(t, "/d", m)
	wantState(t, s, want)
	if reported = reported || s.Found().Damage != ""; !reported && fault != errPower {
		t.Errorf("seed %d, %v at operation %d: the damage was never reported", seed, fault, at)
	}
}

// FuzzOpen wants of any two files, and of any batch with the right checksums behind the second, that Open neither panics
// nor reports different things the second time.
func FuzzOpen(f *testing.F) {
	snapshot, journal, _ := history(f, f.TempDir())
	batch := appendChange(appendTime(nil, time.UnixMilli(1)), set("key", "value"))
	f.Add(readFile(f, snapshot), readFile(f, journal), batch)
	f.Add(readFile(f, snapshot), []byte{}, batch)
	f.Add([]byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, snapshot, journal, batch []byte) {
		if len(journal) == 0 {
			journal = appendStart(nil, journalMagic, meta{number: 2})
			start, at := beginRecord(journal)
			journal = append(start, batch...)
			endRecord(journal, at, 1, 2)
		}
		m := newMemory(1)
		m.names[snapshotName] = &inode{seen: snapshot}
		m.names[journalName(2)] = &inode{seen: journal}
		s, err := Open("/d", m)
		if err != nil {
			return
		}
		want := state(s)
		if err := s.Err(); err != nil {
			return
		}
		commit(t, s, set("fuzz", "1"))
		want["fuzz"] = "1"
		again := reopen(t, s)
		wantState(t, again, want)
		if f := again.Found(); f.Damage != "" || f.Torn != 0 {
			t.Fatalf("the second time Open found %+v", f)
		}
	})
}
