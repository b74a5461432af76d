package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func read(t *testing.T, path string) []Record {
	t.Helper()
	records, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestASmallerTokenIsRefusedAndRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	one, other := open(t, path), open(t, path) // as two processes have it
	for _, c := range []struct {
		store  *Store
		claim  Claim
		fenced bool
	}{
		{one, Claim{1, 5, "a"}, false},
		{one, Claim{1, 5, "a"}, false},
		{other, Claim{1, 7, "b"}, false},
		{one, Claim{1, 5, "a"}, true},
		{one, Claim{2, 5, "a"}, false}, // another shard
		{other, Claim{1, 7, "b"}, false},
	} {
		if err := c.store.Write(t.Context(), c.claim); errors.Is(err, ErrFenced) != c.fenced || err != nil && !c.fenced {
			t.Errorf("Write(%+v) = %v, fenced: want %v", c.claim, err, c.fenced)
		}
	}
	records := read(t, path)
	if len(records) != 6 || !records[3].Refused || records[3].Holder != "a" || records[4].Refused {
		t.Errorf("records %+v, want six, of which the fourth is refused", records)
	}
	if err := Check(records); err == nil || !strings.Contains(err.Error(), "record 4: shard 1: a with token 5 wrote") {
		t.Errorf("Check = %v, want the fourth record", err)
	}
}

func TestAReopenedStoreKnowsItsTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := open(t, path)
	if err := s.Write(t.Context(), Claim{1, 9, "a"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), Claim{1, 9, "a"}); err == nil {
		t.Error("a closed store accepts a write")
	}
	if err := open(t, path).Write(t.Context(), Claim{1, 8, "b"}); !errors.Is(err, ErrFenced) {
		t.Errorf("Write with token 8 = %v, want ErrFenced", err)
	}
}

func TestALineCutShortIsLeftOutAndReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := open(t, path).Write(t.Context(), Claim{1, 9, "a"}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"shard":1,"token":99,"hol`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(read(t, path)); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	if err := open(t, path).Write(t.Context(), Claim{1, 10, "b"}); err != nil {
		t.Error(err)
	}
	if records := read(t, path); len(records) != 2 || records[1].Token != 10 {
		t.Errorf("records %+v, want the second with token 10", records)
	}
}

func TestADamagedFileIsAnErrorWithItsPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for name, content := range map[string]string{
		"no JSON":  `{"shard":1,"token":1,"holder":"a","time":"2030-01-01T00:00:00Z"}` + "\nnonsense\n",
		"too long": `{"shard":1,"token":1,"holder":"a","time":"2030-01-01T00:00:00Z"}` + "\n" + strings.Repeat("x", maxLine) + "\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		werr := open(t, path).Write(t.Context(), Claim{1, 2, "b"})
		for _, err := range []error{err, werr} {
			if err == nil || !strings.Contains(err.Error(), path+": line at byte 65: ") {
				t.Errorf("%s: error %v, want one that names the line at byte 65", name, err)
			}
		}
	}
}

func TestAWriteEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	holder := open(t, path)
	if err := lock(t.Context(), holder.file); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := open(t, path).Write(ctx, Claim{1, 1, "a"}); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("Write = %v, want the cause of its context", err)
	}
}

// Several processes write at once; the test runs itself as these.
func TestProcessesThatWriteAtOnceLoseNothing(t *testing.T) {
	const processes, writes = 4, 50
	if path := os.Getenv("STORE_TEST_PATH"); path != "" {
		s := open(t, path)
		for i := range writes {
			c := Claim{Shard: i % 3, Token: 1, Holder: "one"}
			if err := s.Write(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	path := filepath.Join(t.TempDir(), "log")
	var wait sync.WaitGroup
	for range processes {
		wait.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.timeout", "1m")
			cmd.Env = append(os.Environ(), "STORE_TEST_PATH="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wait.Wait()
	records := read(t, path)
	if len(records) != processes*writes {
		t.Errorf("%d records, want %d", len(records), processes*writes)
	}
	if err := Check(records); err != nil {
		t.Error(err)
	}
}

func TestTheCheckerFindsTwoHoldersAndNothingElse(t *testing.T) {
	start := time.Unix(1_900_000_000, 0)
	for _, c := range []struct {
		name    string
		records string // shard, token, holder and x if refused; one second apart, or as many as the number after @
		want    string // of each error
	}{
		{"nothing", "", ""},
		{"one after the other", "1 1 a, 1 1 a, 1 4 b, 1 9 a", ""},
		{"two shards at once", "1 1 a, 2 2 b, 1 1 a, 2 2 b", ""},
		{"a former holder tries", "1 1 a, 1 2 b, 1 1 a x", "record 3: shard 1: a with token 1 wrote 1s after the first write of b with token 2: two holders"},
		{"one that was never seen tries", "1 3 b, 1 2 a x", "record 2: shard 1: a with token 2 wrote 1s after the first write of b with token 3: two holders"},
		{"a former holder is accepted", "1 1 a, 1 2 b, 1 1 a", "record 3: shard 1: token 1 of a was accepted after token 2 of b"},
		{"one token twice", "1 1 a, 1 1 b", "record 2: shard 1: token 1 is of a and of b"},
		{"refused without a reason", "1 1 a, 1 2 b x", "record 2: shard 1: token 2 of b was refused, and no greater one was seen"},
		{"time goes back", "1 1 a @5, 1 1 a @3", "record 2: its time is 2s before that of the one above"},
		{"two proofs", "1 2 a, 1 1 b x, 1 1 b x", "record 2: shard 1: b with token 1 wrote 1s after the first write of a with token 2: two holders\n" +
			"record 3: shard 1: b with token 1 wrote 2s after the first write of a with token 2: two holders"},
	} {
		var records []Record
		for i, text := range strings.Split(c.records, ", ") {
			if text == "" {
				continue
			}
			r, at := Record{}, i
			text, seconds, timed := strings.Cut(text, " @")
			if timed {
				fmt.Sscan(seconds, &at)
			}
			text, r.Refused = strings.CutSuffix(text, " x")
			if _, err := fmt.Sscan(text, &r.Shard, &r.Token, &r.Holder); err != nil {
				t.Fatal(err)
			}
			r.Time = start.Add(time.Duration(at) * time.Second)
			records = append(records, r)
		}
		got := ""
		if err := Check(records); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: Check = %q, want %q", c.name, got, c.want)
		}
	}
}
