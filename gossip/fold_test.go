package gossip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// union is the fold of sets of words.
func union(t *testing.T, n *Node) *Fold[[]string] {
	t.Helper()
	f, err := NewFold(n, FoldConfig[[]string]{Key: "words", Merge: func(a, b []string) []string {
		all := slices.Concat(a, b)
		slices.Sort(all)
		return slices.Compact(all)
	}})
	must(t, err)
	return f
}

func add(word string) func([]string) ([]string, error) {
	return func(words []string) ([]string, error) { return append(words, word), nil }
}

func TestNothingThatMembersAddAtOnceIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, nodes := formed(t, "a", "b", "c", "d")
		network.Cut(func(from, to string) bool { return (from < "c") != (to < "c") })
		var tasks sync.WaitGroup
		var want []string
		for _, n := range nodes {
			f := union(t, n)
			for i := range 10 {
				word := fmt.Sprint(n.Name(), i)
				want = append(want, word)
				tasks.Go(func() { must(t, f.Update(t.Context(), add(word))) })
			}
		}
		tasks.Wait()
		network.Cut(nil)
		settle(20 * time.Second)
		for _, n := range nodes {
			if got, err := union(t, n).Get(); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s has %v, %v; want %v", n.Name(), got, err, want)
			}
		}
	})
}

func TestAPartGoesWithItsMemberAndStaysWhileItIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b", "c")
		for _, n := range nodes {
			must(t, union(t, n).Set(t.Context(), []string{n.Name()}))
		}
		settle(time.Second)
		f := union(t, nodes[0])
		nodes[1].Stop()
		settle(10 * time.Second)
		if got, _ := f.Get(); strings.Join(got, "") != "abc" {
			t.Errorf("with b down: %v", got)
		}
		must(t, nodes[2].Leave(t.Context()))
		settle(time.Second)
		if got, _ := f.Get(); strings.Join(got, "") != "ab" {
			t.Errorf("after c left: %v", got)
		}
		must(t, f.Withdraw(t.Context()))
		if got, _ := f.Get(); strings.Join(got, "") != "b" {
			t.Errorf("after a withdrew: %v", got)
		}
	})
}

func TestAPartThatCannotBeReadIsNamedAndHidesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		must(t, union(t, nodes[0]).Set(t.Context(), []string{"x"}))
		must(t, nodes[1].Set(t.Context(), "words", "{"))
		settle(time.Second)
		got, err := union(t, nodes[0]).Get()
		if strings.Join(got, "") != "x" || err == nil || !strings.Contains(err.Error(), `the part of "b"`) {
			t.Errorf("Get = %v, %v", got, err)
		}
		if err := union(t, nodes[1]).Update(t.Context(), add("y")); err == nil {
			t.Error("an own part that cannot be read was replaced")
		}
		must(t, union(t, nodes[1]).Withdraw(t.Context()))
		must(t, union(t, nodes[1]).Update(t.Context(), add("y")))
		no := errors.New("no")
		if err := union(t, nodes[1]).Update(t.Context(), func([]string) ([]string, error) { return nil, no }); !errors.Is(err, no) {
			t.Errorf("Update = %v, want the error of the function", err)
		}
	})
}

func TestAFoldIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		got := make(chan string, 10)
		go func() {
			for words, err := range union(t, nodes[0]).Watch(t.Context()) {
				got <- fmt.Sprint(words, err)
			}
			close(got)
		}()
		settle(time.Second)
		must(t, union(t, nodes[1]).Set(t.Context(), []string{"x"}))
		must(t, nodes[1].Set(t.Context(), "other", "y"))
		settle(time.Second)
		must(t, union(t, nodes[0]).Set(t.Context(), []string{"z"}))
		settle(time.Second)
		nodes[0].Stop()
		var all []string
		for s := range got {
			all = append(all, s)
		}
		if want := []string{"[] <nil>", "[x] <nil>", "[x z] <nil>"}; !slices.Equal(all, want) {
			t.Errorf("watched %q, want %q", all, want)
		}
	})
}

func TestAFoldNeedsAKeyAndAMerge(t *testing.T) {
	merge := func(a, b int) int { return a + b }
	for name, c := range map[string]FoldConfig[int]{
		"no key":    {Merge: merge},
		"no merge":  {Key: "k"},
		"no decode": {Key: "k", Merge: merge, Encode: func(int) (string, error) { return "", nil }},
	} {
		if _, err := NewFold(&Node{}, c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewFold(nil, FoldConfig[int]{Key: "k", Merge: merge}); err == nil {
		t.Error("no node: no error")
	}
}

func TestAnUpdateOfAFoldWaitsForOthersNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a")
		f := union(t, nodes[0])
		held, release := make(chan struct{}), make(chan struct{})
		var slow sync.WaitGroup
		slow.Go(func() {
			must(t, f.Update(t.Context(), func(words []string) ([]string, error) {
				close(held)
				<-release
				return append(words, "slow"), nil
			}))
		})
		<-held
		if err := f.Update(within(t, time.Second), add("late")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Update = %v, want the error of its context", err)
		}
		if err := f.Withdraw(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Withdraw = %v, want the error of its context", err)
		}
		close(release)
		slow.Wait()
		if err := f.Update(t.Context(), nil); !errors.Is(err, errNoFunction) {
			t.Errorf("Update with no function = %v", err)
		}
		if err := nodes[0].Shared().Update(t.Context(), "k", nil); !errors.Is(err, errNoFunction) {
			t.Errorf("Update of the shared map with no function = %v", err)
		}
		if got, err := f.Get(); err != nil || !slices.Equal(got, []string{"slow"}) {
			t.Errorf("the fold has %v, %v", got, err)
		}
	})
}
