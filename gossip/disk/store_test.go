package disk

import (
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
