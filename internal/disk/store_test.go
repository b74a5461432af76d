package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openStore(t testing.TB, dir string, fs FS) *Store {
	t.Helper()
	s, err := Open(dir, fs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func commit(t testing.TB, s *Store, changes ...Change) {
	t.Helper()
	if err := s.Commit(changes); err != nil {
		t.Fatal(err)
	}
}

func set(key, value string) Change { return Change{key, []byte(value)} }

func remove(key string) Change { return Change{Key: key} }

// state is what a store holds.
func state(s *Store) map[string]string {
	m := make(map[string]string)
	for key, value := range s.All() {
		m[key] = string(value)
	}
	return m
}

func wantState(t testing.TB, s *Store, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, state(s)); diff != "" {
		t.Fatalf("the store holds (-want +got):\n%s", diff)
	}
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openStore(t, s.dir, s.fs)
}

func TestWhatIsCommittedIsFoundAgain(t *testing.T) {
	s := openStore(t, t.TempDir()+"/a/b", nil)
	if f := s.Found(); !f.Fresh || f.Damage != "" || !f.Written.IsZero() {
		t.Errorf("Found() of a new directory = %+v", f)
	}
	commit(t, s, set("a", "1"), set("b", ""), set("c", "3"))
	commit(t, s, remove("c"), set("a", "2"), remove("never"), set("d", "x"), remove("d"))
	want := map[string]string{"a": "2", "b": ""}
	wantState(t, s, want)
	written := s.written
	for range 2 {
		s = reopen(t, s)
		wantState(t, s, want)
		f := s.Found()
		if f.Fresh || f.Damage != "" || f.Torn != 0 || f.Written.UnixMilli() != written.UnixMilli() {
			t.Errorf("Found() = %+v, want sound and written at %v", f, written)
		}
	}
	if v, ok := s.Value("b"); !ok || v == nil || len(v) != 0 {
		t.Errorf("Value(b) = %v, %v, want an empty value", v, ok)
	}
	if _, ok := s.Value("c"); ok {
		t.Error("a deleted key is there")
	}
}

// sizes returns the bytes of each file of a directory.
func sizes(t testing.TB, dir string) (total int64, files int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	return total, len(entries)
}

func TestFilesStayBoundedWhenValuesComeAndGo(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, nil)
	value, most := make([]byte, MaxValue), int64(0)
	commit(t, s, set("stays", "1"))
	for range 1000 {
		commit(t, s, Change{"flaps", value})
		commit(t, s, remove("flaps"))
		total, files := sizes(t, dir)
		if most = max(most, total); files != 3 {
			t.Fatalf("%d files, want the lock, the snapshot and a journal", files)
		}
	}
	if limit := int64(minJournal + 2*(MaxValue+1000)); most > limit {
		t.Errorf("the files grew to %d bytes, want at most %d", most, limit)
	}
	wantState(t, reopen(t, s), map[string]string{"stays": "1"})
}

func TestAChangeOutOfBoundsHasNoConsequences(t *testing.T) {
	s := openStore(t, t.TempDir(), nil)
	commit(t, s, set("a", "1"))
	for what, c := range map[string]Change{
		"no key":           set("", "x"),
		"a long key":       set(strings.Repeat("k", MaxKey+1), "x"),
		"a long value":     {"a", make([]byte, MaxValue+1)},
		"a long dead key":  remove(strings.Repeat("k", MaxKey+1)),
		"an unnamed death": remove(""),
	} {
		if err := s.Commit([]Change{set("b", "2"), c}); err == nil {
			t.Errorf("a change with %s was taken", what)
		}
	}
	if err := s.Err(); err != nil {
		t.Errorf("Err() = %v", err)
	}
	commit(t, s)
	commit(t, s, Change{strings.Repeat("k", MaxKey), make([]byte, MaxValue)}, remove(strings.Repeat("k", MaxKey)))
	wantState(t, reopen(t, s), map[string]string{"a": "1"})
}

func TestAFullStoreTakesDeletionsOnly(t *testing.T) {
	s := openStore(t, "/d", newMemory(1))
	s.values.total += MaxTotal - s.values.total - 300 // as if it held that much
	commit(t, s, set("a", strings.Repeat("x", 100)))
	if err := s.Commit([]Change{set("b", strings.Repeat("x", 100))}); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a commit beyond the bound = %v", err)
	}
	commit(t, s, remove("a"), set("b", strings.Repeat("x", 100)))
	if err := s.Err(); err != nil {
		t.Errorf("Err() = %v", err)
	}
}

func TestAStoreSetAsideStartsEmptyAndCanBePutBack(t *testing.T) {
	dir := t.TempDir()
	_, _, states := history(t, dir)
	s := openStore(t, dir, nil)
	commit(t, s, set("f", "in the journal"))
	want := state(s)
	if err := s.SetAside(); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, map[string]string{})
	commit(t, s, set("new", "1"))
	s = reopen(t, s)
	wantState(t, s, map[string]string{"new": "1"})
	if f := s.Found(); f.Damage != "" || f.Fresh {
		t.Errorf("Found() = %+v", f)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name := range listing(t, dir) {
		if base, _, ok := strings.Cut(name, ".aside-"); ok {
			if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, base)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s = openStore(t, dir, nil)
	wantState(t, s, want)
	if len(want) != len(states[3])+1 {
		t.Errorf("put back %v", want)
	}
}

func TestAStoreThatCannotBeWrittenIsReadAndRepaired(t *testing.T) {
	m := newMemory(1)
	s := openStore(t, "/d", m)
	commit(t, s, set("a", "1"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	full := true
	m.fault = func() error {
		if full && m.writes {
			return errSpace
		}
		return nil
	}
	s = openStore(t, "/d", m)
	wantState(t, s, map[string]string{"a": "1"})
	for what, err := range map[string]error{"Err": s.Err(), "Commit": s.Commit([]Change{set("b", "2")}), "Rewrite": s.Rewrite()} {
		if !errors.Is(err, errSpace) || !strings.Contains(err.Error(), "/d") {
			t.Errorf("%s() on a full disk = %v", what, err)
		}
	}
	full = false
	if err := s.Commit([]Change{set("b", "2")}); err == nil {
		t.Error("a commit after a failure was taken before Rewrite")
	}
	if err := s.Rewrite(); err != nil {
		t.Fatal(err)
	}
	commit(t, s, set("b", "2"))
	m.restart(true)
	wantState(t, openStore(t, "/d", m), map[string]string{"a": "1", "b": "2"})
}

func TestAClosedStoreRefusesAndStaysReadable(t *testing.T) {
	s := openStore(t, t.TempDir(), nil)
	commit(t, s, set("a", "1"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for what, err := range map[string]error{"Err": s.Err(), "Commit": s.Commit(nil), "Rewrite": s.Rewrite(), "SetAside": s.SetAside()} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s() = %v, want %v", what, err, errClosed)
		}
	}
	wantState(t, s, map[string]string{"a": "1"})
}

func TestCommitsAndReadersRunAtOnce(t *testing.T) {
	s := openStore(t, "/d", newMemory(1))
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 200 {
				value := []byte(fmt.Sprint(i))
				if err := s.Commit([]Change{{fmt.Sprint("a", n), value}, {fmt.Sprint("b", n), value}}); err != nil {
					t.Error(err)
				}
				clear(value) // the store has its own copy
				got := state(s)
				for other := range 8 {
					if got[fmt.Sprint("a", other)] != got[fmt.Sprint("b", other)] {
						t.Errorf("a reader saw half of a commit: %v", got)
					}
				}
			}
		})
	}
	all.Wait()
	if v, _ := s.Value("a3"); string(v) != "199" {
		t.Errorf("Value(a3) = %q, want 199", v)
	}
}

func TestADirectoryThatIsNoneIsAnError(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "file"), nil)
	for _, below := range []string{"file", "file/below"} {
		if _, err := Open(filepath.Join(dir, below), nil); err == nil || !strings.Contains(err.Error(), below) {
			t.Errorf("Open(%s) = %v, want an error that names it", below, err)
		}
	}
	if _, err := Open("", nil); err == nil {
		t.Error("Open took no name for a directory")
	}
	if err := os.MkdirAll(filepath.Join(dir, "d", snapshotName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "d"), nil); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("Open with a directory for a snapshot = %v, want an error", err)
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d changes", n), func(b *testing.B) {
			s := openStore(b, b.TempDir(), nil)
			changes := make([]Change, n)
			for i := range changes {
				changes[i] = Change{fmt.Sprint("node-", i), make([]byte, 300)}
			}
			b.ReportAllocs()
			for b.Loop() {
				commit(b, s, changes...)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := openStore(b, dir, nil)
	for i := range 5000 {
		s.values.applyChange(Change{fmt.Sprint("node-", i), make([]byte, 1000)})
	}
	if err := errors.Join(s.Rewrite(), s.Close()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		_ = s.Close()
	}
}
