package gossip

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

// foundings counts what was founded.
type foundings struct {
	mu  sync.Mutex
	all []Birth
	err error // of the next one
}

func (f *foundings) found(_ context.Context, b Birth) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.err; err != nil {
		f.err = nil
		return err
	}
	f.all = append(f.all, b)
	return nil
}

// form has a node take part until the test ends.
func form(t *testing.T, n *Node, c FormationConfig) *Formation {
	t.Helper()
	c.Name = "log"
	f, err := n.Form(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func TestOneNodeFoundsAndAllOthersJoin(t *testing.T) {
	for name, config := range map[string]FormationConfig{"expect": {Expect: 3}, "founders": {Founders: []string{"b", "c", "d"}}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, nodes := formed(t, "a", "b", "c", "d", "e")
				f := &foundings{err: errors.New("the disk is full")} // it is tried again
				config.Found = f.found
				var all []*Formation
				for _, n := range nodes {
					all = append(all, form(t, n, config))
				}
				for i, each := range all {
					b, err := each.Wait(within(t, 10*time.Second))
					must(t, err)
					if len(f.all) != 1 || b != f.all[0] || len(each.Members()) == 0 {
						t.Errorf("node %d: %+v, founded were %+v", i, b, f.all)
					}
				}
				settle(time.Second)
				for _, each := range all {
					if n := len(each.Members()); n != 5 || each.Conflict() != nil {
						t.Errorf("%d members, %v", n, each.Conflict())
					}
				}
				late := form(t, nodes[0], config) // again, as after a restart of the program's part
				if b, err := late.Wait(within(t, time.Second)); err != nil || b != f.all[0] {
					t.Errorf("a second look gives %+v, %v", b, err)
				}
			})
		})
	}
}

func TestWaitReportsWhichMemberIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		f := &foundings{}
		few := form(t, nodes[0], FormationConfig{Expect: 3, Found: f.found})
		_, err := few.Wait(within(t, 5*time.Second))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 of 3 nodes take part: a") {
			t.Errorf("Wait = %v", err)
		}
		few.Close()
		if _, err := few.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "has ended") {
			t.Errorf("Wait after Close = %v", err)
		}
	})
}

func TestTwoGroupsThatMeetKeepTheirBirthsAndReportThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		left, right := cluster(t, network, "a", "b", "c"), cluster(t, network, "x", "y", "z")
		f := &foundings{}
		var all []*Formation
		for _, n := range append(left, right...) {
			all = append(all, form(t, n, FormationConfig{Expect: 3, Found: f.found}))
		}
		settle(5 * time.Second)
		must(t, right[0].Join(t.Context(), left[0].Addr()))
		settle(20 * time.Second)
		if len(f.all) != 2 {
			t.Fatalf("%d births, want one in each group", len(f.all))
		}
		for i, each := range all {
			var names []string
			for _, m := range each.Members() {
				names = append(names, m.Name)
			}
			if want := []string{"a b c", "x y z"}[i/3]; strings.Join(names, " ") != want {
				t.Errorf("members of the birth of node %d are %v, want %s", i, names, want)
			}
			if err := each.Conflict(); err == nil || !strings.Contains(err.Error(), "there are 2 births") {
				t.Errorf("conflict = %v", err)
			}
		}
	})
}

func TestANodeThatKnowsABirthFoundsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b", "c")
		f := &foundings{}
		known := newBirthID("b")
		var all []*Formation
		for i, n := range nodes {
			c := FormationConfig{Expect: 3, Found: f.found}
			if i == 1 {
				c.Known = known
			}
			all = append(all, form(t, n, c))
			settle(time.Second)
		}
		for _, each := range all {
			b, err := each.Wait(within(t, 10*time.Second))
			if err != nil || b.ID != known || b.Founder != "b" {
				t.Errorf("birth = %+v, %v; want that which b knows", b, err)
			}
		}
		if len(f.all) > 0 {
			t.Errorf("founded: %+v", f.all)
		}
	})
}

func TestAFormationThatIsSettledDoesNothingUntilTheViewChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b", "c")
		f := &foundings{}
		var all []*Formation
		for _, n := range nodes {
			all = append(all, form(t, n, FormationConfig{Expect: 3, Found: f.found}))
		}
		for _, each := range all {
			_, err := each.Wait(within(t, 10*time.Second))
			must(t, err)
		}
		time.Sleep(10 * time.Second) // the last writes have arrived
		all[0].mu.Lock()
		changed := all[0].changed
		all[0].mu.Unlock()
		time.Sleep(time.Minute)
		select {
		case <-changed:
			t.Error("a step was done though no member has changed")
		default:
		}
		must(t, nodes[1].Set(t.Context(), "own", "value"))
		select {
		case <-changed:
		case <-time.After(10 * time.Second):
			t.Error("no step was done though a member has changed")
		}
	})
}

func TestFormRefusesWhatMakesNoSense(t *testing.T) {
	found := (&foundings{}).found
	for want, c := range map[string]FormationConfig{
		"bytes of printable text":       {Name: "", Expect: 1, Found: found},
		"no Found is given":             {Name: "x", Expect: 1},
		"either Founders or Expect":     {Name: "x", Found: found},
		"want 1 to 255":                 {Name: "x", Expect: 256, Found: found},
		"a name is given twice":         {Name: "x", Founders: []string{"a", "a"}, Found: found},
		"is not the ID of a birth":      {Name: "x", Expect: 1, Known: "nonsense", Found: found},
		"give either Founders or Expec": {Name: "x", Expect: 1, Founders: []string{"a"}, Found: found},
	} {
		if err := c.validate("a"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

func TestAFoundingThatPanicsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a")
		calls := 0
		f := form(t, nodes[0], FormationConfig{Expect: 1, Found: func(context.Context, Birth) error {
			if calls++; calls == 1 {
				panic("broken")
			}
			return nil
		}})
		if b, err := f.Wait(within(t, 10*time.Second)); err != nil || b.Founder != "a" || calls != 2 {
			t.Errorf("after a panic: %+v, %v, %d calls", b, err, calls)
		}
	})
}
