package quorum

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip"
)

// place is an arbiter in memory.
type place struct {
	mu      sync.Mutex
	text    string
	version int
	err     error // of everything
	writes  int   // that changed it
}

func (p *place) String() string { return "the place" }

func (p *place) Read(context.Context) (string, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.text == "" {
		return "", "", p.err
	}
	return p.text, strconv.Itoa(p.version), nil
}

func (p *place) Write(_ context.Context, text, version string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := strconv.Itoa(p.version)
	if p.text == "" {
		now = ""
	}
	switch {
	case p.err != nil:
		return p.err
	case version != now:
		return fmt.Errorf("%w: version %q, not %q", ErrConflict, now, version)
	}
	p.text, p.version, p.writes = text, p.version+1, p.writes+1
	return nil
}

func (p *place) set(text string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text, p.err = text, err
	p.version++
}

// kept returns the birth that it has.
func (p *place) kept(t *testing.T) birthRecord {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := parseNote([]byte(p.text), "gossiptest")
	if err != nil {
		t.Fatalf("%q: %v", p.text, err)
	}
	return b
}

func arbitratedBy(p *place) func(*Config) { return func(c *Config) { c.Birth = Arbitrated(p) } }

func TestMembersThatSeeEachOtherFoundWithAsManyVotersAsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := &place{}, time.Now()
		q := startQuorum(t, arbitratedBy(p), "a", "b", "c", "d")
		q.awaitLeader("a", "b", "c", "d")
		if b := p.kept(t); len(b.Voters) != 3 || p.writes != 1 || b.ID != q.status("d").Birth {
			t.Errorf("%d writes, birth %+v, members belong to %s", p.writes, b, q.status("d").Birth)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the first leader came after %v", took)
		}
	})
}

func TestMembersThatAreCutOffFromEachOtherFoundOneQuorumWithAnArbiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, names := &place{}, []string{"a", "b", "c", "d", "e"}
		q := &testQuorum{Cluster: startQuorum(t, nil).Cluster, t: t, all: map[string]*Quorum{}}
		nodes := q.Start(names...)
		for _, name := range names {
			q.Isolate(name)
		}
		time.Sleep(time.Minute)
		for _, n := range nodes {
			q.add(n, arbitratedBy(p))
		}
		q.Wait("a reports what it waits for", func() bool {
			return strings.Contains(q.status("a").Why, "there is no quorum yet: this member waits for others that may vote")
		})
		time.Sleep(time.Minute)
		first := p.kept(t)
		if len(first.Voters) != 1 || p.writes != 1 {
			t.Errorf("%d foundings, first voters %+v; want one by a member that sees no other", p.writes, first.Voters)
		}
		q.Heal()
		q.WaitTogether()
		q.awaitLeader(names...)
		for _, name := range names {
			if s := q.status(name); s.Birth != first.ID {
				t.Errorf("%s belongs to %s, want %s", name, s.Birth, first.ID)
			}
		}
	})
}

func TestTheTextOfAnArbiterIsWrittenAgainAfterItsDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		q := startQuorum(t, arbitratedBy(p), "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		first := p.kept(t)
		p.set("", nil)
		time.Sleep(2 * arbiterEvery)
		if again := p.kept(t); again.ID != first.ID || len(again.Voters) != 3 {
			t.Errorf("birth %+v, want %+v", again, first)
		}
	})
}

func TestAQuorumThatIsFoundedGoesOnWithoutItsArbiterAndOneThatIsNotReportsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{err: errors.New("no route")}
		q := startQuorum(t, arbitratedBy(p), "a", "b", "c")
		time.Sleep(time.Minute)
		if why := q.status("b").Why; !strings.Contains(why, "the place cannot be asked: no route") {
			t.Errorf("why there is no leader: %q", why)
		}
		p.set("", nil)
		q.awaitLeader("a", "b", "c")
		p.set("", errors.New("no route"))
		time.Sleep(2 * arbiterEvery)
		q.add(q.StartNode(gossip.Config{Name: "d"}), arbitratedBy(p)) // it learns of the birth by the others
		q.awaitLeader("a", "b", "c", "d")
	})
}

func TestAMemberOfAnotherFoundingThanTheArbiterHasEndsWithAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := &place{}, t.TempDir()
		with := func(c *Config) { arbitratedBy(p)(c); durable(dir)(c) }
		q := startQuorum(t, with, "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		own := p.kept(t).ID
		q.all["a"].Stop()
		q.all["b"].Stop()
		q.all["c"].Stop()
		other, err := noteOf(birthRecord{ID: laterBirth("x", 0, 7)}, "gossiptest")
		if err != nil {
			t.Fatal(err)
		}
		p.set(string(other), nil)
		for _, text := range []string{string(other), `{"id":"` + own + `","cluster":"elsewhere"}`} {
			p.set(text, nil)
			a := q.add(q.Node("a"), with)
			select {
			case <-a.Done():
			case <-time.After(time.Minute):
				t.Fatal("it goes on")
			}
			if err := a.Err(); !errors.Is(err, ErrBirth) || !strings.Contains(err.Error(), "the place") {
				t.Errorf("Err = %v, want ErrBirth and the place", err)
			}
		}
		p.set("", nil)
		for _, name := range []string{"a", "b", "c"} {
			q.add(q.Node(name), with)
		}
		q.awaitLeader("a", "b", "c")
		for _, text := range []string{string(other), `{"id":"` + own + `","cluster":"elsewhere"}`, "junk"} { // while they run: what works goes on
			p.set(text, nil)
			time.Sleep(2 * arbiterEvery)
			if s := q.status("a"); s.Leader == "" || !strings.Contains(s.Conflict, "the place") {
				t.Errorf("with %q: leader %q, conflict %q", text, s.Leader, s.Conflict)
			}
		}
		p.set("", nil) // a member writes its birth again, so that there is no conflict any more
		time.Sleep(3 * arbiterEvery)
		if s := q.status("a"); s.Conflict != "" {
			t.Errorf("conflict %q with the birth in its place again", s.Conflict)
		}
	})
}

func TestARecoveredQuorumIsWrittenToTheArbiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := &place{}, t.TempDir()
		with := func(c *Config) { arbitratedBy(p)(c); durable(dir)(c) }
		q := startQuorum(t, with, "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		first := p.kept(t).ID
		for _, name := range []string{"b", "c"} {
			q.all[name].Stop()
			q.Crash(name)
		}
		time.Sleep(time.Minute)
		if err := q.all["a"].Recover(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		q.awaitLeader("a")
		q.Wait("the new birth is written", func() bool { b := p.kept(t); return b.ID != first && b.ID == q.status("a").Birth })
	})
}

func TestADirectoryOfAnotherClusterIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		q := startQuorum(t, durable(dir), "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		for _, one := range q.all {
			one.Stop()
		}
		s, _, err := openStorage(filepath.Join(dir, "a"), "elsewhere", nil, true)
		if !errors.Is(err, ErrBirth) || !strings.Contains(err.Error(), `cluster "gossiptest"`) {
			t.Errorf("openStorage = %v, %v; want ErrBirth and the name of the other cluster", s, err)
		}
	})
}

func TestAMemberThatMayNotVoteIsRefusedAsALeaderAFounderAndForARecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, func(c *Config) { c.Eligible = []string{"v*"} }, "v1", "v2", "v3", "w")
		q.awaitLeader("v1", "v2", "v3", "w")
		for what, err := range map[string]error{
			"Transfer": q.all["v1"].Transfer(t.Context(), "w"),
			"Recover":  q.all["w"].Recover(t.Context(), true),
			"Validate": Config{Node: q.Node("w"), Eligible: []string{"v*"}, Birth: Founders("v1", "w")}.Validate(),
		} {
			if !errors.Is(err, ErrNotEligible) {
				t.Errorf("%s = %v, want ErrNotEligible", what, err)
			}
		}
		if err := q.all["w"].Transfer(t.Context(), "nothing"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Transfer to no member = %v, want ErrNotFound", err)
		}
	})
}

func TestManyMoreMembersThanABirthExpectsAreWarnedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil)
		for i, n := range q.Start("a", "b", "c", "d") {
			value := voterValue(uint64(i+1), false)
			if i == 3 {
				value = voterValue(0, false) // it never votes
			}
			if err := n.Set(t.Context(), keyVoter, value); err != nil {
				t.Fatal(err)
			}
		}
		v := func() *gossip.View { return q.Node("a").View() }
		q.Wait("three voters", func() bool { return crowd(v(), &Config{Birth: Expect(1)}) == 3 })
		if w := crowdWarning(v(), &Config{Birth: Expect(1)}); !strings.Contains(w, "3 members may vote and the birth expects 1") {
			t.Errorf("warning %q", w)
		}
		for _, b := range []Birth{Expect(2), Founders("a"), Arbitrated(&place{})} {
			if w := crowdWarning(v(), &Config{Birth: b}); w != "" {
				t.Errorf("%+v: warning %q, want none", b, w)
			}
		}
	})
}

// panicking is an arbiter that panics once.
type panicking struct {
	place
	done atomic.Bool
}

func (p *panicking) Read(ctx context.Context) (string, string, error) {
	if !p.done.Swap(true) {
		panic("broken")
	}
	return p.place.Read(ctx)
}

func TestAnArbiterThatPanicsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &panicking{}
		q := startQuorum(t, func(c *Config) { c.Birth = Arbitrated(p) }, "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		if !p.done.Load() {
			t.Error("the arbiter was not asked")
		}
	})
}
