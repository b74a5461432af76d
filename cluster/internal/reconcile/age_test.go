package reconcile

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// name lets time go by, one round every second, while an incomplete answer names these peers every 10 s. It returns
// the peers that were forgotten.
func (s *sim) name(d time.Duration, some ...peer.Peer) (forgotten []string) {
	for i := range int(d / time.Second) {
		s.now = s.now.Add(time.Second)
		if i%10 == 0 {
			s.Add("t", slices.Clone(some), s.now)
		}
		plan := s.Round(s.list(), s.now)
		for _, c := range plan.Dial {
			err := s.refuses[c.Peer.Addr]
			if err == nil {
				s.connected[c.Peer.Addr] = c.Peer
			}
			s.Dialed(c.Peer.Addr, err, s.now)
		}
		for _, c := range plan.Forgotten {
			forgotten = append(forgotten, c.Peer.Addr+" of "+c.Topology)
		}
	}
	return forgotten
}

func TestAPeerThatNoAnswerNamesIsForgottenAfterTenMinutes(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.refuses["b:1"] = errRefused
	s.Add("t", peers("a", "b", "c"), s.now)
	wantPeers(t, "forgotten early", s.name(ForgetAfter-20*time.Second, p("a")))
	wantPeers(t, "forgotten", s.name(time.Minute, p("a")), "b:1 of t") // c is connected
	if got := s.Topology("t"); got.Wanted != 2 || got.Connected != 2 {
		t.Errorf("%d wanted and %d connected, want a and c", got.Wanted, got.Connected)
	}
	checkCounts(t, s.Ledger)
	delete(s.refuses, "b:1")
	s.name(10*time.Second, peers("a", "b")...)
	if got := s.Topology("t"); got.Wanted != 3 || got.Connected != 3 {
		t.Errorf("%d wanted and %d connected after b was named again, want 3 and 3", got.Wanted, got.Connected)
	}
}

func TestAnOutageOfTheSourceMakesNoPeerOlder(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.refuses["b:1"] = errRefused
	s.Add("t", peers("a", "b"), s.now)
	s.name(5*time.Minute, p("a"))
	for range 24 {
		s.Fail("t")
		wantPeers(t, "forgotten while the source fails", s.name(time.Hour)) // an answer that names no peer is none
	}
	wantPeers(t, "forgotten at the first answer after an outage", s.name(time.Minute, p("a")))
	wantPeers(t, "forgotten", s.name(5*time.Minute, p("a")), "b:1 of t")
}

func TestAConnectionThatIsLostIsDialledForTenMinutesThoughNoAnswerNamesThePeer(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.Add("t", peers("a", "b"), s.now)
	s.name(time.Hour, p("a"))
	delete(s.connected, "b:1")
	s.refuses["b:1"] = errRefused
	wantPeers(t, "forgotten early", s.name(ForgetAfter-20*time.Second, p("a")))
	delete(s.refuses, "b:1")
	wantPeers(t, "forgotten though it came back", s.name(time.Hour, p("a")))
	if s.Topology("t").Connected != 2 {
		t.Error("b is not connected, want it back")
	}
}

func TestAPeerOfTwoTopologiesIsForgottenWhenNeitherNamesIt(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	s.AddTopology("other", pruneSoon)
	s.refuses["b:1"] = errRefused
	s.Add("t", peers("a", "b"), s.now)
	s.Set("other", peers("b"), s.now)
	wantPeers(t, "forgotten while another topology wants it", s.name(20*time.Minute, p("a")))
	if got, other := s.Topology("t").Wanted, s.Topology("other").Wanted; got != 1 || other != 1 {
		t.Errorf("wanted by t: %d, by other: %d, want one peer each", got, other)
	}
	checkCounts(t, s.Ledger)
}

func TestNewAndRecentlyNamedPeersAreDialledFirst(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", pruneSoon)
	var old, recent []peer.Peer
	for i := range 100 {
		old = append(old, p(fmt.Sprint("old", i)))
		s.refuses[old[i].Addr] = errRefused
	}
	for i := range 6 {
		recent = append(recent, p(fmt.Sprint("recent", i)))
		s.refuses[recent[i].Addr] = errRefused
	}
	s.Add("t", append(old, recent...), s.now)
	s.name(5*time.Minute, recent...) // each was dialled, each is due now and then
	s.now = s.now.Add(time.Minute)   // each is due
	s.Add("t", append(slices.Clone(recent), peers("new0", "new1")...), s.now)
	dialled, _ := s.round()
	wantPeers(t, "dialled", dialled, "new0:1", "new1:1", "recent0:1", "recent1:1", "recent2:1", "recent3:1", "recent4:1", "recent5:1")
}

func TestAPeerThatTheListNeverShowsIsReportedOnceAfterTheSecondDial(t *testing.T) {
	for _, gossips := range []bool{false, true} {
		s := newSim(t, gossips)
		s.AddTopology("t", pruneSoon)
		s.set("t", p("a"))
		dials, at := 0, []int{}
		for range 600 {
			plan := s.Round(nil, s.now)
			for range plan.Unlisted {
				at = append(at, dials)
			}
			for _, c := range plan.Dial {
				dials++
				s.Dialed(c.Peer.Addr, nil, s.now)
			}
			s.now = s.now.Add(time.Second)
		}
		if gossips {
			if len(at) != 0 {
				t.Errorf("reported for a connector that gossips, after %v dials", at)
			}
			continue
		}
		if len(at) != 1 || at[0] != 2 {
			t.Errorf("reported after %v dials of %d, want once after 2", at, dials)
		}
	}
}

func TestTheBackoffOfADropGrowsWhileThePeerIsNotWanted(t *testing.T) {
	s := newSim(t, false)
	s.AddTopology("t", Prune{After: 0, MaxFraction: 1})
	s.connected["b:1"] = p("b")
	s.set("t", peers("a", "b")...)
	fail := func(d time.Duration) (calls, reports int) {
		for i := range int(d / time.Second) {
			if s.now = s.now.Add(time.Second); i%10 == 0 {
				s.set("t", p("a"))
			}
			for _, c := range s.Round(s.list(), s.now).Drop {
				if calls++; s.Dropped(c.Peer.Addr, errRefused, s.now).Report {
					reports++
				}
			}
		}
		return calls, reports
	}
	if calls, reports := fail(10 * time.Minute); calls < 5 || calls > 15 || reports != 1 {
		t.Errorf("%d calls and %d reports in 10 minutes, want 5..15 and 1", calls, reports)
	}
	if calls, reports := fail(time.Hour); calls > 24 || reports != 0 {
		t.Errorf("%d calls and %d reports in the next hour, want at most 24 and none", calls, reports)
	}
	s.set("t", peers("a", "b")...)
	if s.Round(s.list(), s.now); s.Topology("t").Connected != 1 {
		t.Error("b is wanted again and not connected")
	}
	if _, reports := fail(10 * time.Minute); reports != 1 {
		t.Errorf("%d reports after b was wanted in between, want one again", reports)
	}
}
