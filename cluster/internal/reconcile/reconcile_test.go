package reconcile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

var (
	errRefused = errors.New("connection refused")
	pruneSoon  = Prune{After: 30 * time.Second, MaxFraction: 1}
)

// sim drives a ledger by hand, with a clock and a mesh of its own.
type sim struct {
	*Ledger
	t         *testing.T
	now       time.Time
	connected map[string]peer.Peer
	refuses   map[string]error
}

func newSim(t *testing.T, gossips bool) *sim {
	return &sim{
		Ledger: New(gossips, rand.New(rand.NewPCG(1, 2))), t: t,
		now:       time.Unix(1_000_000, 0),
		connected: make(map[string]peer.Peer), refuses: make(map[string]error),
	}
}

func p(addr string) peer.Peer { return peer.Peer{Addr: addr + ":1"} }

func node(id, addr string) peer.Peer { return peer.Peer{ID: id, Addr: addr + ":1"} }

func peers(addrs ...string) (all []peer.Peer) {
	for _, a := range addrs {
		all = append(all, p(a))
	}
	return all
}

func (s *sim) list() (all []peer.Peer) {
	for _, c := range s.connected {
		all = append(all, c)
	}
	return all
}

func (s *sim) set(topology string, all ...peer.Peer) { s.Set(topology, all, s.now) }

// round runs one round and carries its plan out. It returns the addresses dialled and dropped.
func (s *sim) round() (dialled, dropped []string) {
	plan := s.Round(s.list(), s.now)
	for _, c := range plan.Dial {
		dialled = append(dialled, c.Peer.Addr)
		err := s.refuses[c.Peer.Addr]
		if err == nil {
			s.connected[c.Peer.Addr] = c.Peer
		}
		s.Dialed(c.Peer.Addr, err, s.now)
	}
	for _, c := range plan.Drop {
		dropped = append(dropped, c.Peer.Addr)
		delete(s.connected, c.Peer.Addr)
		s.Dropped(c.Peer.Addr, nil, s.now)
	}
	slices.Sort(dialled)
	slices.Sort(dropped)
	return dialled, dropped
}

// pass lets time go by, one round every second, with the same answers repeated every 10 s, and
// returns everything dialled and dropped.
func (s *sim) pass(d time.Duration, answers map[string][]peer.Peer) (dialled, dropped []string) {
	for i := range int(d / time.Second) {
		s.now = s.now.Add(time.Second)
		if i%10 == 0 {
			for name, all := range answers {
				s.Set(name, slices.Clone(all), s.now)
			}
		}
		up, down := s.round()
		dialled, dropped = append(dialled, up...), append(dropped, down...)
	}
	return dialled, dropped
}

func wantPeers(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" && len(want)+len(got) > 0 {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestDialsWhoIsWantedAndNotConnected(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.connected["b:1"] = p("b")
	s.set("t", peers("a", "b", "c", "a")...)
	dialled, _ := s.round()
	wantPeers(t, "dialled", dialled, "a:1", "c:1")
	dialled, dropped := s.pass(time.Minute, nil)
	wantPeers(t, "dialled when all are connected", dialled)
	wantPeers(t, "dropped", dropped)
}

func TestAnUnreachablePeerIsRetriedWithGrowingDelayAndNeverDropped(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.refuses["b:1"] = errRefused
	s.set("t", p("b"))
	var at []time.Duration
	start := s.now
	for range 600 {
		if dialled, _ := s.round(); len(dialled) > 0 {
			at = append(at, s.now.Sub(start))
		}
		s.now = s.now.Add(250 * time.Millisecond)
	}
	if len(at) < 8 || len(at) > 20 {
		t.Errorf("dialled %d times in 150 s, want 8..20: %v", len(at), at)
	}
	if last := at[len(at)-1] - at[len(at)-2]; last < 15*time.Second || last > 46*time.Second {
		t.Errorf("the last delay is %v, want 15 s..45 s", last)
	}
	_, dropped := s.pass(5*time.Minute, map[string][]peer.Peer{"t": peers("x")})
	wantPeers(t, "dropped, although never connected", dropped)
}

func TestFailuresAreReportedFirstAndThenEveryTenMinutes(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.set("t", p("b"))
	reports := 0
	for range 30 * 60 {
		for _, c := range s.Round(nil, s.now).Dial {
			if s.Dialed(c.Peer.Addr, errRefused, s.now).Report {
				reports++
			}
		}
		s.now = s.now.Add(time.Second)
	}
	if reports != 3 {
		t.Errorf("%d reports in 30 minutes, want 3", reports)
	}
}

func TestDropsOnlyWhoWasLeftOutOftenAndLongEnough(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.set("t", peers("a", "b")...)
	s.round()
	_, dropped := s.pass(29*time.Second, map[string][]peer.Peer{"t": peers("a")})
	wantPeers(t, "dropped too early", dropped)
	_, dropped = s.pass(10*time.Second, map[string][]peer.Peer{"t": peers("a")})
	wantPeers(t, "dropped", dropped, "b:1")
}

func TestOneAnswerWithoutAPeerDropsNoPeer(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.set("t", peers("a", "b")...)
	s.round()
	s.set("t", p("a"))
	_, dropped := s.pass(80*time.Second, nil)
	wantPeers(t, "dropped after a single answer", dropped)
}

func TestAFailureBetweenStartsTheCountAgain(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.set("t", peers("a", "b")...)
	s.round()
	for range 20 {
		_, dropped := s.pass(20*time.Second, map[string][]peer.Peer{"t": peers("a")})
		wantPeers(t, "dropped although the source fails in between", dropped)
		s.Fail("t")
	}
}

func TestAStaleAnswerDropsNoPeer(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", Prune{After: 2 * time.Minute, MaxFraction: 1})
	s.set("t", peers("a", "b")...)
	s.round()
	s.pass(20*time.Second, map[string][]peer.Peer{"t": peers("a")})
	_, dropped := s.pass(10*time.Minute, nil)
	wantPeers(t, "dropped on answers older than 90 s", dropped)
}

func TestAnEmptyAnswerIsBelievedOnlyWhenRepeated(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", Prune{After: 0, MaxFraction: 1})
	s.set("t", peers("a", "b")...)
	s.round()
	for range 2 {
		s.set("t")
		s.now = s.now.Add(40 * time.Second)
		_, dropped := s.round()
		wantPeers(t, "dropped by an unproven empty answer", dropped)
	}
	if got := s.Topology("t"); got.EmptyHeld != 2 || got.Wanted != 2 {
		t.Errorf("held %d, wanted %d, want 2 and 2", got.EmptyHeld, got.Wanted)
	}
	s.set("t")
	_, dropped := s.round()
	wantPeers(t, "dropped", dropped, "a:1", "b:1")
}

func TestAFailureResetsTheProofOfEmptiness(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", Prune{After: 0, MaxFraction: 1})
	s.set("t", p("a"))
	s.round()
	for range 10 {
		s.set("t")
		s.set("t")
		s.now = s.now.Add(40 * time.Second)
		s.Fail("t")
		_, dropped := s.round()
		wantPeers(t, "dropped", dropped)
	}
}

func TestAtMostAFractionIsDroppedWithinAnInterval(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", Prune{After: 30 * time.Second, MaxFraction: 0.5})
	var all []peer.Peer
	for i := range 8 {
		all = append(all, p(fmt.Sprint("n", i)))
	}
	s.set("t", all...)
	s.pass(3*time.Second, nil)
	last, batches := s.now, []int{}
	for range 120 {
		_, dropped := s.pass(time.Second, map[string][]peer.Peer{"t": peers("other")})
		if len(dropped) == 0 {
			continue
		}
		if len(batches) > 0 && s.now.Sub(last) < Interval {
			t.Errorf("two batches within %v", s.now.Sub(last))
		}
		last, batches = s.now, append(batches, len(dropped))
	}
	if d := cmp.Diff([]int{4, 2, 1, 1}, batches); d != "" {
		t.Errorf("batches (-want +got):\n%s", d)
	}
}

func TestPruneNeverDropsNoPeer(t *testing.T) {
	s := newSim(t, true)
	s.AddTopology("t", Prune{Never: true})
	s.set("t", peers("a", "b")...)
	s.pass(5*time.Second, nil)
	_, dropped := s.pass(10*time.Minute, map[string][]peer.Peer{"t": peers("a")})
	wantPeers(t, "dropped", dropped)
}

func TestAPeerOfTwoTopologiesIsDroppedWhenBothLeaveItOut(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("one", pruneSoon)
	s.AddTopology("two", pruneSoon)
	s.set("one", peers("a", "x")...)
	s.set("two", peers("b", "x")...)
	s.round()
	_, dropped := s.pass(2*time.Minute, map[string][]peer.Peer{"one": peers("a"), "two": peers("b", "x")})
	wantPeers(t, "dropped while one topology still wants it", dropped)
	_, dropped = s.pass(2*time.Minute, map[string][]peer.Peer{"one": peers("a"), "two": peers("b")})
	wantPeers(t, "dropped", dropped, "x:1")
}

func TestARemovedTopologyLetsItsPeersGoAfterTheGracePeriod(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.set("t", p("a"))
	s.round()
	s.RemoveTopology("t", s.now)
	_, dropped := s.pass(29*time.Second, nil)
	wantPeers(t, "dropped too early", dropped)
	_, dropped = s.pass(10*time.Second, nil)
	wantPeers(t, "dropped", dropped, "a:1")
	s.round()
	if len(s.peers) != 0 || len(s.topologies) != 0 {
		t.Errorf("%d peers and %d topologies are left", len(s.peers), len(s.topologies))
	}
}

func TestAPeerThatOnlyEverConnectedToUsIsLeftAlone(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", Prune{After: 0, MaxFraction: 1})
	s.connected["in:1"] = p("in")
	_, dropped := s.pass(2*time.Minute, map[string][]peer.Peer{"t": peers("a")})
	wantPeers(t, "dropped an inbound peer", dropped)
	s.pass(20*time.Second, map[string][]peer.Peer{"t": peers("a", "in")})
	_, dropped = s.pass(time.Minute, map[string][]peer.Peer{"t": peers("a")})
	wantPeers(t, "dropped once it was wanted and then left out", dropped, "in:1")
}

func TestThisNodeIsNeverDialledUnderAnyOfItsNames(t *testing.T) {
	s := newSim(t, false)
	s.SetSelf([]peer.Peer{{ID: "me"}, p("10.0.0.1")})
	s.refuses["host:1"] = fmt.Errorf("connect: %w", connector.ErrSelf)
	s.AddTopology("t", pruneSoon)
	s.set("t", p("10.0.0.1"), node("me", "10.9.9.9"), p("host"), p("a"))
	dialled, _ := s.round()
	wantPeers(t, "dialled", dialled, "a:1", "host:1") // only a dial finds out that host is this node
	dialled, _ = s.pass(10*time.Minute, map[string][]peer.Peer{"t": {p("10.0.0.1"), p("host"), p("a")}})
	wantPeers(t, "dialled again", dialled)
	if !s.Topology("t").SelfSeen {
		t.Error("this node was in the answers, but SelfSeen is false")
	}
}

func TestANodeThatIsNoLongerListedStopsDiallingAndDropsNoPeer(t *testing.T) {
	s := newSim(t, false)
	s.SetSelf([]peer.Peer{p("me")})
	s.AddTopology("t", pruneSoon)
	s.set("t", peers("me", "a", "b")...)
	s.round()
	s.set("t", peers("a", "b")...)
	if s.Topology("t").Leaving {
		t.Error("leaving after one answer without this node, want two")
	}
	s.set("t", peers("a", "b", "c")...)
	delete(s.connected, "a:1")
	dialled, _ := s.round()
	wantPeers(t, "dialled while leaving", dialled)
	_, dropped := s.pass(5*time.Minute, map[string][]peer.Peer{"t": peers("c")})
	wantPeers(t, "dropped while leaving", dropped)
	s.set("t", peers("me", "c")...)
	dialled, _ = s.round()
	wantPeers(t, "dialled when listed again", dialled, "c:1")
}

// A source that leaves this node out, as local does, names the other process of a conflict of names until that is gone.
func TestAnotherProcessOfTheNameThatIsGoneDoesNotEndTheDials(t *testing.T) {
	s := newSim(t, false)
	s.SetSelf([]peer.Peer{node("me", "own")})
	s.AddTopology("t", pruneSoon)
	s.set("t", node("me", "twin"), p("a"))
	s.round()
	s.set("t", peers("a")...)
	s.set("t", peers("a", "b")...)
	if s.Topology("t").Leaving {
		t.Error("the node takes the end of the other process for its own removal")
	}
	dialled, _ := s.round()
	wantPeers(t, "dialled", dialled, "b:1")
}

func TestANodeAtANewAddressIsConnectedThereBeforeTheOldOneIsDropped(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", Prune{After: time.Hour, MaxFraction: 0.01})
	s.set("t", node("db", "old"), node("x", "x"))
	s.round()
	s.refuses["new:1"] = errRefused
	s.set("t", node("db", "new"), node("x", "x"))
	dialled, dropped := s.round()
	wantPeers(t, "dialled", dialled, "new:1")
	wantPeers(t, "dropped before the new address is connected", dropped)
	delete(s.refuses, "new:1")
	dialled, dropped = s.pass(10*time.Second, nil)
	wantPeers(t, "dialled", dialled, "new:1")
	wantPeers(t, "dropped", dropped, "old:1")
}

func TestAPeerListedUnderAnotherAddressOfTheSameNodeIsConnected(t *testing.T) {
	s := newSim(t, true)
	s.AddTopology("t", Prune{Never: true})
	s.set("t", node("n2", "public"))
	plan := s.Round(nil, s.now)
	if len(plan.Dial) != 1 {
		t.Fatalf("dialled %v, want the one peer", plan.Dial)
	}
	s.Dialed("public:1", nil, s.now)
	s.connected["private:1"] = node("n2", "private")
	dialled, _ := s.pass(5*time.Minute, map[string][]peer.Peer{"t": {node("n2", "public")}})
	wantPeers(t, "dialled again", dialled)
}

func TestAForeignPeerIsDialledAtTheLongestBackoffAndReportedOnce(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.set("t", p("f"))
	reported, dials := 0, 0
	for range 300 {
		for _, c := range s.Round(nil, s.now).Dial {
			dials++
			if s.Dialed(c.Peer.Addr, fmt.Errorf("f: %w", connector.ErrForeign), s.now).Foreign {
				reported++
			}
		}
		s.now = s.now.Add(time.Second)
	}
	if reported != 1 || dials > 21 {
		t.Errorf("reported %d times in %d dials over 5 minutes, want once in at most 21", reported, dials)
	}
}

func TestAGossipingConnectorGetsOnlyAFewContactsAtOnce(t *testing.T) {
	for n, most := range map[int]int{1: 1, 4: 3, 100: 7, 1000: 8} {
		s := newSim(t, true)
		s.AddTopology("t", Prune{Never: true})
		var all []peer.Peer
		for i := range n {
			all = append(all, p(fmt.Sprint("n", i)))
		}
		s.set("t", all...)
		if got := len(s.Round(nil, s.now).Dial); got != most {
			t.Errorf("%d contacts of %d wanted peers, want %d", got, n, most)
		}
		if again := len(s.Round(nil, s.now).Dial); again != 0 {
			t.Errorf("%d more contacts while the first are under way", again)
		}
	}
}

func TestAFailedDropIsRetriedAndThePeerNotDialled(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", Prune{After: 0, MaxFraction: 1})
	s.connected["b:1"] = p("b")
	s.set("t", peers("a", "b")...)
	s.Round(s.list(), s.now)
	s.set("t", p("a"))
	s.now = s.now.Add(time.Second)
	s.set("t", p("a"))
	plan := s.Round(s.list(), s.now)
	if len(plan.Drop) != 1 || plan.Drop[0].Peer != p("b") {
		t.Fatalf("dropped %v, want b", plan.Drop)
	}
	s.Dropped("b:1", errRefused, s.now)
	if plan = s.Round(s.list(), s.now); len(plan.Drop)+len(plan.Dial) != 0 {
		t.Errorf("the same moment: %+v, want nothing", plan)
	}
	s.now = s.now.Add(2 * time.Second)
	if plan = s.Round(s.list(), s.now); len(plan.Drop) != 1 || len(plan.Dial) != 0 {
		t.Errorf("later: %+v, want the drop again", plan)
	}
}

func TestDialStateIsForgottenWithThePeer(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.refuses["b:1"] = errRefused
	s.pass(2*time.Minute, map[string][]peer.Peer{"t": peers("a", "b")})
	s.set("t", p("a"))
	s.round()
	s.set("t", peers("a", "b")...)
	if dialled, _ := s.round(); len(dialled) != 1 {
		t.Errorf("dialled %v when b is found again, want b at once", dialled)
	}
	if len(s.peers) != 2 {
		t.Errorf("%d peers, want 2", len(s.peers))
	}
}

func TestADialThatOverranFreesItsPlaceButNotItsPeer(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	var all []peer.Peer
	for i := range 2 * ParallelDials {
		all = append(all, p(fmt.Sprint("n", i)))
	}
	s.set("t", all...)
	first := s.Round(nil, s.now).Dial
	for _, c := range first {
		s.Overran(c.Peer.Addr, errRefused)
	}
	second := s.Round(nil, s.now).Dial
	if len(second) != ParallelDials {
		t.Fatalf("%d dials after all were overdue, want %d", len(second), ParallelDials)
	}
	for _, c := range second {
		if slices.Contains(first, c) {
			t.Errorf("%v is dialled while its last dial still runs", c.Peer)
		}
	}
	s.Returned(first[0].Peer.Addr, errRefused, s.now)
	if s.inFlight != ParallelDials {
		t.Errorf("%d in flight, want %d", s.inFlight, ParallelDials)
	}
}

// TestRandomHistoriesKeepTheRules plays random answers, failures, losses and drops.
func TestRandomHistoriesKeepTheRules(t *testing.T) {
	for seed := range uint64(200) {
		playRandom(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func playRandom(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	s := newSim(t, seed%3 == 0)
	names := []string{"one", "two"}
	everWanted := map[string]bool{}
	for _, n := range names {
		s.AddTopology(n, Prune{After: 20 * time.Second, MaxFraction: 0.5})
	}
	for range 300 {
		s.now = s.now.Add(time.Duration(r.IntN(5000)) * time.Millisecond)
		var some []peer.Peer
		for i := range 6 {
			if r.IntN(3) > 0 {
				some = append(some, p(fmt.Sprint("n", i)))
			}
		}
		name := names[r.IntN(2)]
		switch r.IntN(6) {
		case 0:
			s.Fail(name)
		case 1:
			s.Add(name, some, s.now)
		case 2:
			delete(s.connected, fmt.Sprintf("n%d:1", r.IntN(6)))
			some = nil
		case 3:
			s.connected[fmt.Sprintf("n%d:1", r.IntN(8))] = p(fmt.Sprint("n", r.IntN(8)))
			some = nil
		default:
			s.Set(name, some, s.now)
		}
		for _, p := range some {
			everWanted[p.Addr] = true
		}
		wantedNow := map[string]bool{}
		for addr, state := range s.peers {
			wantedNow[addr] = state.wanted > 0
		}
		dialled, dropped := s.round()
		for _, a := range dialled {
			if !wantedNow[a] {
				t.Errorf("dialled %s, which no topology wants", a)
			}
		}
		for _, a := range dropped {
			if wantedNow[a] || !everWanted[a] {
				t.Errorf("dropped %s: wanted %v, ever wanted %v", a, wantedNow[a], everWanted[a])
			}
		}
		checkCounts(t, s.Ledger)
	}
}

// checkCounts compares the counts that the ledger keeps with what they count.
func checkCounts(t *testing.T, l *Ledger) {
	for name, topology := range l.topologies {
		n := 0
		for _, f := range topology.wants {
			if f.active {
				n++
			}
		}
		if sorted := topology.byAddr(); len(sorted) != len(topology.wants) {
			t.Errorf("topology %s has %d sorted of %d wants", name, len(sorted), len(topology.wants))
		}
		if n != topology.wanted {
			t.Errorf("topology %s wants %d, counted %d", name, topology.wanted, n)
		}
	}
	for addr, r := range l.peers {
		n := 0
		for _, f := range r.wants {
			if f.active {
				n++
			}
		}
		if n != r.wanted {
			t.Errorf("peer %s is wanted by %d, counted %d", addr, r.wanted, n)
		}
	}
}
