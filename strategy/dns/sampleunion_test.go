package dns

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// answers is a sink that keeps what the union reports: how, and which peers.
type answers struct {
	ops  []string
	last []peer.Peer
}

func (a *answers) Set(all []peer.Peer)  { a.ops, a.last = append(a.ops, "Set"), all }
func (a *answers) Add(some []peer.Peer) { a.ops, a.last = append(a.ops, "Add"), some }
func (a *answers) Fail(error)           { a.ops = append(a.ops, "Fail") }
func (a *answers) op() string           { return a.ops[len(a.ops)-1] }

// fleet is a set of peers behind a server that names some of them each time.
type fleet struct {
	rand  *rand.Rand
	next  int
	live  []peer.Peer
	since map[string]time.Time
}

func newFleet(seed uint64, n int) *fleet {
	f := &fleet{rand: rand.New(rand.NewPCG(seed, 1)), since: make(map[string]time.Time)}
	for range n {
		f.grow()
	}
	return f
}

func (f *fleet) grow() {
	f.next++
	p := peer.Peer{Addr: fmt.Sprintf("10.0.%d.%d:7946", f.next>>8, f.next&255)}
	f.live, f.since[p.Addr] = append(f.live, p), time.Now()
}

func (f *fleet) replace() {
	delete(f.since, f.live[0].Addr)
	f.live = f.live[1:]
	f.grow()
}

func (f *fleet) sample(n int) []peer.Peer {
	all := slices.Clone(f.live)
	f.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}

// missing returns the peers that lived for five minutes and are not in an answer.
func (f *fleet) missing(answer []peer.Peer) (addrs []string) {
	for _, p := range f.live {
		if time.Since(f.since[p.Addr]) > 5*time.Minute && !slices.Contains(answer, p) {
			addrs = append(addrs, p.Addr)
		}
	}
	return addrs
}

func TestAUnionOverAWindowWithoutAFailureIsACompleteAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, f := new(answers), newFleet(1, 20)
		u := newSampleUnion(out)
		sets, largest := 0, 0
		for i := range 3 * 3600 / 5 {
			if i%12 == 6 {
				f.replace()
			}
			u.Set(f.sample(8))
			time.Sleep(5 * time.Second)
			if largest = max(largest, len(out.last)); out.op() != "Set" {
				continue
			}
			sets++
			if missing := f.missing(out.last); len(missing) > 0 {
				t.Errorf("after %d lookups a complete answer lacks the live %v", i, missing)
			}
		}
		t.Logf("%d of 2160 answers are complete, the largest names %d peers", sets, largest)
		if sets < 2000 {
			t.Errorf("%d of 2160 answers are complete, want nearly all", sets)
		}
		if largest > 30 {
			t.Errorf("an answer names %d peers, want at most 30 of 20 live ones", largest)
		}
	})
}

func TestAUnionIsIncompleteUntilRarePeersHadTheTimeToBeNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(4) {
			out, f := new(answers), newFleet(seed, 100)
			u := newSampleUnion(out)
			for i := range 1500 { // 3 of 100 each time: how many there are shows late
				u.Set(f.sample(3))
				if n := len(out.last); out.op() == "Set" && n < 99 { // one in 22,000 may be missing by chance
					t.Fatalf("seed %d: answer %d is complete and lacks %d live peers", seed, i, 100-n)
				}
				time.Sleep(time.Second)
			}
			if out.op() != "Set" {
				t.Errorf("seed %d: the last answer is %s, want Set", seed, out.op())
			}
		}
	})
}

func TestAFailureMakesTheUnionIncompleteForAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, f := new(answers), newFleet(1, 8)
		u := newSampleUnion(out)
		ask := func(d time.Duration) []string {
			before := len(out.ops)
			for range int(d / (5 * time.Second)) {
				u.Set(f.sample(8))
				time.Sleep(5 * time.Second)
			}
			return out.ops[before:]
		}
		ask(2 * time.Minute)
		u.Fail(errors.New("SERVFAIL"))
		if ops := ask(time.Minute); slices.Contains(ops, "Set") {
			t.Errorf("within a minute of a failure: %v, want no Set", ops)
		}
		if ops := ask(time.Minute); slices.Contains(ops, "Add") {
			t.Errorf("a minute after a failure: %v, want Sets alone", ops)
		}
	})
}

func TestAUnionOfPartsThatStayIncompleteDoesNotGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, f := new(answers), newFleet(1, 20)
		u := newSampleUnion(out)
		for i := range 3 * 3600 / 5 {
			if i%12 == 6 {
				f.replace()
			}
			u.Add(f.sample(8))
			if out.op() != "Add" || len(out.last) > 30 {
				t.Fatalf("%s of %d peers, want an Add of at most 30", out.op(), len(out.last))
			}
			u.Fail(errors.New("AAAA: timeout"))
			time.Sleep(5 * time.Second)
		}
	})
}
