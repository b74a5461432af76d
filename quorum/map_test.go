package quorum

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

func TestAKeyIsReadAsItWasWrittenLastAtEveryMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 4) // the fourth is not a voter
		first, last := &Map{c.members[0].parts}, &Map{c.members[3].parts}
		if e, err := last.Get(t.Context(), "k"); err != nil || e.Index != 0 || e.Value != "" {
			t.Errorf("Get of a key that is not there = %+v, %v", e, err)
		}
		e, err := last.Set(t.Context(), "k", "one")
		if got, err2 := first.Get(t.Context(), "k"); err != nil || err2 != nil || got != e || e.Value != "one" {
			t.Errorf("Get = %+v, %v after Set = %+v, %v", got, err2, e, err)
		}
		two, err := first.Set(t.Context(), "k", "two")
		if err != nil || two.Index <= e.Index {
			t.Errorf("a second Set = %+v, %v, want a greater index than %d", two, err, e.Index)
		}
		if err := last.Delete(t.Context(), "k", IfIndex(e.Index)); !errors.Is(err, ErrConflict) {
			t.Errorf("Delete under an old index = %v, want ErrConflict", err)
		}
		if _, err := last.Set(t.Context(), "k", "x", IfIndex(0)); !errors.Is(err, ErrConflict) {
			t.Errorf("Set of a key that is not to be there = %v, want ErrConflict", err)
		}
		if err := last.Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		if err := last.Delete(t.Context(), "k"); err != nil {
			t.Errorf("Delete of a key that is not there = %v", err)
		}
		if e, err := first.Get(t.Context(), "k"); err != nil || e.Index != 0 {
			t.Errorf("Get after Delete = %+v, %v", e, err)
		}
	})
}

func TestUpdatesOfAllMembersAreNeverLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 5)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				m := &Map{c.members[i%5].parts}
				_, err := m.Update(t.Context(), "count", func(old string, _ bool) (string, bool, error) {
					n, _ := strconv.Atoi(old)
					return strconv.Itoa(n + 1), true, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if e, err := (&Map{c.members[0].parts}).Get(t.Context(), "count"); err != nil || e.Value != "50" {
			t.Errorf("after 50 increments the count is %q, %v", e.Value, err)
		}
	})
}

func TestUpdateDeletesAndLeavesAsItsFunctionAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Map{newMemoryQuorum(t, 1).members[0].parts}
		broken := errors.New("broken")
		answer := func(value string, keep bool, err error) func(string, bool) (string, bool, error) {
			return func(string, bool) (string, bool, error) { return value, keep, err }
		}
		if e, err := m.Update(t.Context(), "k", answer("", false, nil)); err != nil || e.Index != 0 {
			t.Errorf("an Update that keeps nothing of nothing = %+v, %v", e, err)
		}
		made, err := m.Update(t.Context(), "k", answer("v", true, nil))
		if err != nil || made.Index == 0 {
			t.Fatal(made, err)
		}
		if _, err := m.Update(t.Context(), "k", answer("", true, broken)); !errors.Is(err, broken) {
			t.Errorf("an Update whose function fails = %v", err)
		}
		if e, err := m.Get(t.Context(), "k"); err != nil || e != made {
			t.Errorf("after an Update whose function failed: %+v, %v", e, err)
		}
		if e, err := m.Update(t.Context(), "k", answer("", false, nil)); err != nil || e != (Entry{Key: "k"}) {
			t.Errorf("an Update that deletes = %+v, %v", e, err)
		}
		if e, err := m.Get(t.Context(), "k"); err != nil || e.Index != 0 {
			t.Errorf("after an Update that deletes: %+v, %v", e, err)
		}
	})
}

func TestAWriteWithoutAnAnswerTakesEffectOnceOrIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 3)
		a := c.members[1]
		m := &Map{a.parts}
		a.lostReply = true
		if _, err := m.Set(t.Context(), "k", "v"); !errors.Is(err, ErrUnknown) || errors.Is(err, ErrConflict) {
			t.Errorf("Set whose answer was lost = %v, want ErrUnknown alone", err)
		}
		if e, err := m.Get(t.Context(), "k"); err != nil || e.Value != "v" {
			t.Errorf("the key is %+v, %v, want the value once", e, err)
		}
		a.lostRequest = true
		if _, err := m.Set(t.Context(), "l", "v"); !errors.Is(err, ErrUnknown) {
			t.Errorf("Set of a new key that did not reach the log = %v, want ErrUnknown", err)
		}
		e, err := m.Get(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		a.lostRequest = true
		if got, err := m.Set(t.Context(), "k", "v2", IfIndex(e.Index)); err != nil || got.Index <= e.Index {
			t.Errorf("Set under an index that did not reach the log = %+v, %v, want success: it is sent again", got, err)
		}
		a.lostRequest = true
		if _, err := m.Set(t.Context(), "k", "w"); err != nil {
			t.Errorf("Set of a key that is there, which did not reach the log = %v, want nil: it is sent again", err)
		}
		c.setCut(a, true)
		if _, err := m.Set(t.Context(), "m", "v"); !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNoLeader) {
			t.Errorf("Set at a member that is cut off = %v", err)
		}
		if _, err := m.Get(t.Context(), "m"); !errors.Is(err, ErrNoLeader) {
			t.Errorf("Get at a member that is cut off = %v, want ErrNoLeader", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Set(ctx, "m", "v"); !errors.Is(err, ErrNoLeader) || errors.Is(err, ErrUnknown) {
			t.Errorf("Set with a context that has ended = %v, want ErrNoLeader", err)
		}
		c.kill(a)
		if _, err := m.Set(t.Context(), "m", "v"); !errors.Is(err, ErrStopped) {
			t.Errorf("Set after the end = %v, want ErrStopped", err)
		}
	})
}

func TestWhatIsTooLargeForTheMapIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Map{newMemoryQuorum(t, 1).members[0].parts}
		ctx := t.Context()
		_, err1 := m.Set(ctx, "k", strings.Repeat("v", core.MaxValue+1))
		_, err2 := m.Set(ctx, strings.Repeat("k", core.MaxKey+1), "v")
		_, err3 := m.Set(ctx, "", "v")
		_, err4 := m.Get(ctx, "")
		for i, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, ErrFull) {
				t.Errorf("case %d: %v, want ErrFull", i, err)
			}
		}
		value := strings.Repeat("v", core.MaxValue)
		for i := range core.MaxMap/core.MaxValue - 1 {
			if _, err := m.Set(ctx, fmt.Sprint(i), value); err != nil {
				t.Fatalf("value %d: %v", i, err)
			}
		}
		_, err := m.Set(ctx, "one more", value)
		if want := "a key of 8 bytes and a value of 65536; the map has 16712335 bytes of 16777216 at most"; !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), want) {
			t.Errorf("Set in a full map = %v, want ErrFull with %q", err, want)
		}
	})
}

func TestAKeyOfASessionEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 4)
		m := &Map{c.members[3].parts}
		if _, err := m.Set(t.Context(), "here", "n3", WithSession()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * testLease)
		other := &Map{c.members[0].parts}
		if e, err := other.Get(t.Context(), "here"); err != nil || e.Value != "n3" {
			t.Errorf("while the session lives: %+v, %v", e, err)
		}
		c.kill(c.members[3])
		time.Sleep(testLease + time.Second)
		if e, err := other.Get(t.Context(), "here"); err != nil || e.Index != 0 {
			t.Errorf("after the end of the session: %+v, %v", e, err)
		}
	})
}

// watched is what a watch shows.
type watched struct {
	mu      sync.Mutex
	has     map[string]string
	deleted int
	changes int
}

func (w *watched) follow(ctx context.Context, m *Map, prefix string) {
	for c := range m.Watch(ctx, prefix) {
		w.mu.Lock()
		w.changes++
		if w.has[c.Key] = c.Value; c.Deleted {
			delete(w.has, c.Key)
			w.deleted++
		}
		w.mu.Unlock()
	}
}

func (w *watched) counts() (changes, deleted int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes, w.deleted
}

func (w *watched) is(want map[string]string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Equal(w.has, want)
}

func TestAWatchShowsWhatIsThereAndThenEachChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 4)
		m, w := &Map{c.members[0].parts}, &watched{has: map[string]string{}}
		set := func(key, value string) {
			if _, err := m.Set(t.Context(), key, value); err != nil {
				t.Fatal(err)
			}
		}
		set("a/1", "x")
		set("b/1", "x")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { w.follow(ctx, &Map{c.members[3].parts}, "a/") })
		eventually(t, "the key that is there", func() bool { return w.is(map[string]string{"a/1": "x"}) })
		set("a/2", "y")
		set("b/2", "y")
		if took := eventually(t, "a new key", func() bool { return w.is(map[string]string{"a/1": "x", "a/2": "y"}) }); took > 50*time.Millisecond {
			t.Errorf("a change was shown after %v", took)
		}
		if err := m.Delete(t.Context(), "a/1"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a deletion", func() bool { return w.is(map[string]string{"a/2": "y"}) })
		c.setCut(c.members[3], true)
		set("a/3", "z")
		set("a/2", "y2")
		time.Sleep(3 * testLease)
		c.setCut(c.members[3], false)
		eventually(t, "what changed while it was cut off", func() bool { return w.is(map[string]string{"a/2": "y2", "a/3": "z"}) })
		time.Sleep(5 * time.Minute)
		if changes, deleted := w.counts(); changes != 5 || deleted != 1 {
			t.Errorf("%d changes with %d deletions, want 5 with one", changes, deleted)
		}
		cancel()
		wg.Wait()
	})
}

func TestAWatchOfALargeMapShowsAllOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 3)
		m, w, want := &Map{c.members[0].parts}, &watched{has: map[string]string{}}, map[string]string{}
		for i := range 40 { // some pages
			key, value := fmt.Sprintf("k%03d", i), strings.Repeat("v", 20<<10)
			if _, err := m.Set(t.Context(), key, value); err != nil {
				t.Fatal(err)
			}
			want[key] = value
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { w.follow(ctx, &Map{c.members[1].parts}, "") })
		eventually(t, "all pages", func() bool { return w.is(want) })
		cancel()
		wg.Wait()
	})
}

// The leader remembers a number of changes; a watch that was away for longer is sent all keys again.
func TestAWatchThatReadsAllKeysAgainShowsOnlyWhatChanged(t *testing.T) {
	w := mapWatch{known: map[string]uint64{}}
	page := func(index uint64, more bool, keys ...string) core.Result {
		r := core.Result{Index: index, Whole: true, More: more}
		for _, k := range keys {
			at, _ := strconv.ParseUint(k[1:], 10, 64)
			r.Changes = append(r.Changes, core.MapChange{Key: k[:1], Index: at, Value: []byte(k)})
		}
		return r
	}
	show := func(r core.Result) string {
		var out []string
		for _, c := range w.take(r) {
			if c.Deleted {
				c.Value = "-" + c.Key
			}
			out = append(out, c.Value)
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	for i, step := range []struct {
		result core.Result
		want   string
		since  uint64
		after  string
	}{
		{page(10, true, "a3", "b4"), "a3 b4", 0, "b"},
		{page(12, false, "c11"), "c11", 10, ""},
		{core.Result{Index: 12, Changes: []core.MapChange{{Key: "c", Index: 11, Value: []byte("c11")}}}, "", 12, ""},
		{core.Result{Index: 14, Changes: []core.MapChange{{Key: "d", Index: 13, Deleted: true}, {Key: "a", Index: 14, Deleted: true}}}, "-a", 14, ""},
		{page(99, true, "b4"), "", 0, "b"},
		{page(98, true, "d97"), "d97", 0, "d"},
		{page(101, false, "e100"), "-c e100", 98, ""},
		{page(200, false), "-b -d -e", 200, ""},
	} {
		if got := show(step.result); got != step.want || w.since != step.since || w.after != step.after {
			t.Errorf("step %d shows %q, since %d after %q, want %q, since %d after %q", i, got, w.since, w.after, step.want, step.since, step.after)
		}
	}
}

func TestUpdatesOfOneProcessDoNotConflictAmongThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Map{newMemoryQuorum(t, 3).members[2].parts}
		var wg sync.WaitGroup
		var calls atomic.Int64
		for range 200 {
			wg.Go(func() {
				_, err := m.Update(context.Background(), "count", func(old string, ok bool) (string, bool, error) {
					calls.Add(1)
					return increment(old, ok)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if e, err := m.Get(t.Context(), "count"); err != nil || e.Value != "200" || calls.Load() != 200 {
			t.Errorf("after 200 increments at once the count is %q, %v, and the function was called %d times", e.Value, err, calls.Load())
		}
	})
}

func TestAnUpdateThatPanicsLeavesItsKeyToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Map{newMemoryQuorum(t, 1).members[0].parts}
		func() {
			defer func() { _ = recover() }()
			_, err := m.Update(t.Context(), "k", func(string, bool) (string, bool, error) { panic("broken") })
			t.Errorf("Update = %v, want the panic", err)
		}()
		if e, err := m.Update(t.Context(), "k", increment); err != nil || e.Value != "1" {
			t.Errorf("Update after a panic = %+v, %v", e, err)
		}
	})
}

func TestAnUpdateWhoseFunctionOutlivesItsContextWritesNothingAndReportsThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Map{newMemoryQuorum(t, 1).members[0].parts}
		_, err := m.Update(context.Background(), "k", func(old string, ok bool) (string, bool, error) {
			time.Sleep(maxWait + time.Second)
			return increment(old, ok)
		})
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoLeader) || !strings.Contains(err.Error(), "the function returned after the context had ended") {
			t.Errorf("Update = %v, want that its function took too long", err)
		}
		if e, err := m.Get(t.Context(), "k"); err != nil || e.Index != 0 {
			t.Errorf("Get = %+v, %v, want nothing", e, err)
		}
	})
}

func TestARequestUnderAContextThatHasEndedReportsItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Map{newMemoryQuorum(t, 1).members[0].parts}
		gone := errors.New("the client is gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		_, get := m.Get(ctx, "k")
		_, set := m.Set(ctx, "k", "v")
		_, update := m.Update(ctx, "k", increment)
		for what, err := range map[string]error{"Get": get, "Set": set, "Update": update, "Delete": m.Delete(ctx, "k")} {
			if !errors.Is(err, ErrNoLeader) || !errors.Is(err, gone) || errors.Is(err, ErrUnknown) {
				t.Errorf("%s = %v, want ErrNoLeader with the cause of the context", what, err)
			}
		}
	})
}

func TestNilFunctionsAndOptionsAreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryQuorum(t, 1).members[0].parts
		m := &Map{p}
		shards, err := p.shards("a", Settings{Count: 2})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		work := func(context.Context, Hold) error { return nil }
		_, update := m.Update(ctx, "k", nil)
		_, set := m.Set(ctx, "k", "v", nil)
		for want, errs := range map[error]map[string]error{
			errNoFunction: {"Update": update, "Lead": p.lead(ctx, "l", nil), "Work": shards.Work(ctx, nil)},
			errNilOption:  {"Set": set, "Work": shards.Work(ctx, work, nil)},
		} {
			for what, err := range errs {
				if !errors.Is(err, want) {
					t.Errorf("%s = %v, want %v", what, err, want)
				}
			}
		}
	})
}
