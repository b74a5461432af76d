package quorum

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
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
		if _, err := m.Set(t.Context(), "l", "v"); err != nil {
			t.Errorf("Set that did not reach the log = %v, want nil: it is sent again", err)
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
		if _, err := m.Set(ctx, "one more", value); !errors.Is(err, ErrFull) {
			t.Errorf("Set in a full map = %v, want ErrFull", err)
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

func TestAWatchOfALargeMapShowsAllOfItAndWhatEndedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 3)
		m, w, want := &Map{c.members[0].parts}, &watched{has: map[string]string{}}, map[string]string{}
		value := strings.Repeat("v", 20<<10)
		set := func(i int) {
			key := fmt.Sprintf("k%03d", i)
			if _, err := m.Set(t.Context(), key, value); err != nil {
				t.Fatal(err)
			}
			want[key] = value
		}
		for i := range 40 {
			set(i)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { w.follow(ctx, &Map{c.members[1].parts}, "") })
		eventually(t, "all pages", func() bool { return w.is(want) })
		c.setCut(c.members[1], true)
		for i := range 9000 { // more than the leader remembers
			if _, err := m.Set(t.Context(), "often", strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
		}
		want["often"] = "8999"
		for i := range 10 {
			key := fmt.Sprintf("k%03d", 4*i)
			delete(want, key)
			if err := m.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		set(99)
		c.setCut(c.members[1], false)
		eventually(t, "the map as it is", func() bool { return w.is(want) })
		if _, deleted := w.counts(); deleted != 10 {
			t.Errorf("%d deletions were shown, want 10", deleted)
		}
		cancel()
		wg.Wait()
	})
}
