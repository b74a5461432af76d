package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/goconvoke/convoke/peer"
)

func TestWhyHasWhatWasAskedWhichPeerFailsAndWhatIsAwaited(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	failing := func(addr string) PeerStatus {
		return PeerStatus{Peer: peer.Peer{Addr: addr}, Wanted: true, Err: errors.New("refused"), Next: now.Add(4 * time.Second)}
	}
	missing := func(addr string) MissingPeer { return MissingPeer{Peer: peer.Peer{Addr: addr}} }
	for _, c := range []struct {
		status TopologyStatus
		want   string
	}{
		{
			TopologyStatus{Strategy: "static", Wanted: 2, LastSet: before(3 * time.Second), Connected: 1, Expect: 3, MinPeers: 2, Peers: []PeerStatus{failing("a:1")},
				Missing: []MissingPeer{{Peer: peer.Peer{Addr: "a:1", ID: "a"}, Since: before(12 * time.Second)}}},
			"static answered 3s ago, 2 peers found; a:1: refused (next try in 4s); 2 of 3 nodes are together; a@a:1 is down since " + before(12*time.Second).Format(time.TimeOnly),
		},
		{
			TopologyStatus{Strategy: "static", Wanted: 1, LastSet: now, Expect: 2, MinPeers: 1,
				Missing: []MissingPeer{{Peer: peer.Peer{Addr: "a:1", ID: "a"}, Since: before(12 * time.Second), Left: true}}},
			"static answered 0s ago, 1 peer found; 1 of 2 nodes are together; a@a:1 left at " + before(12*time.Second).Format(time.TimeOnly),
		},
		{
			TopologyStatus{Strategy: "static", Wanted: 1, LastSet: now, Expect: 2, MinPeers: 1,
				Missing: []MissingPeer{{Peer: peer.Peer{Addr: "a:1", ID: "a"}, Since: before(48 * time.Hour)}}},
			"static answered 0s ago, 1 peer found; 1 of 2 nodes are together; a@a:1 is down since " + before(48*time.Hour).Format(time.DateTime),
		},
		{
			TopologyStatus{Strategy: "static", LastSet: now, Connected: 1, Expect: 5, MinPeers: 2},
			"static answered 0s ago, 0 peers found; 2 of 5 nodes are together, 3 suffice; 3 nodes are in no answer",
		},
		{
			TopologyStatus{Strategy: "s", LastSet: now, Wanted: 3, Connected: 1, MinPeers: 3, Peers: []PeerStatus{failing("a:1")},
				Missing: []MissingPeer{missing("c:1")}, Removed: []MissingPeer{{Peer: peer.Peer{Addr: "a:1", ID: "a"}}, {Peer: peer.Peer{Addr: "b:1", ID: "b"}}}},
			"s answered 0s ago, 3 peers found; 1 connected of 3; c:1 is not connected yet, a@a:1 was removed: start another node, or lower min_peers",
		},
		{
			TopologyStatus{Strategy: "s", LastSet: now, Wanted: 3, Connected: 1, Expect: 4, MinPeers: 3, Peers: []PeerStatus{failing("a:1")},
				Removed: []MissingPeer{{Peer: peer.Peer{Addr: "a:1", ID: "a"}}, {Peer: peer.Peer{Addr: "b:1", ID: "b"}}}},
			"s answered 0s ago, 3 peers found; 2 of 4 nodes are together; a@a:1 and b@b:1 were removed: start other nodes, or lower expect",
		},
		{
			TopologyStatus{Strategy: "multicast"},
			"multicast gave no complete answer yet, 0 peers found; 0 connected, waiting for a complete answer",
		},
		{
			TopologyStatus{Strategy: "kubernetes", Err: errors.New("forbidden"), Wanted: 15, LastAdd: now, Connected: 15},
			"kubernetes gave no complete answer yet (forbidden), 15 peers found; 15 connected, waiting for a complete answer; if this source gives none, set expect or min_peers",
		},
		{
			TopologyStatus{Strategy: "dns", Wanted: 1, LastSet: now, Connected: 1, Whole: true, Peers: []PeerStatus{
				{Peer: peer.Peer{Addr: "gone:1"}, Connected: true, Err: errors.New("busy"), Next: now.Add(time.Minute)},
			}},
			"dns answered 0s ago, 1 peer found; gone:1 cannot be disconnected: busy (next try in 1m0s); 1 connected",
		},
		{
			TopologyStatus{Strategy: "dns", Err: errors.New("SERVFAIL"), Wanted: 1, LastSet: before(2 * time.Minute), Connected: 1, Whole: true},
			"dns fails (SERVFAIL), last complete answer 2m0s ago, 1 peer found; 1 connected",
		},
		{
			TopologyStatus{Strategy: "dns", State: Failed, Err: errors.New("no such thing"), MinPeers: 1},
			"dns cannot work here: no such thing; 0 connected of 1; 1 node is in no answer",
		},
		{
			TopologyStatus{Strategy: "s", LastSet: now, EmptyHeld: 2, Leaving: true, ListErr: errors.New("not bound"), Connector: "memberlist", Handover: errors.New("new one fails")},
			"s answered 0s ago, 0 peers found; 2 answers empty since, not believed yet; the changed configuration waits for its first answer: new one fails; " +
				"connector memberlist cannot list its peers: not bound; this node is no longer in the answers, so it dials no peer; 0 connected",
		},
		{
			TopologyStatus{Strategy: "s", LastSet: now, Wanted: 5, MinPeers: 5, Peers: []PeerStatus{failing("a:1"), failing("b:1"), failing("c:1"), failing("d:1"), failing("e:1")},
				Missing: []MissingPeer{missing("a:1"), missing("b:1"), missing("c:1"), missing("d:1"), missing("e:1")}},
			"s answered 0s ago, 5 peers found; a:1: refused (next try in 4s); b:1: refused (next try in 4s); c:1: refused (next try in 4s); 2 more fail; 0 connected of 5; a:1 is not connected yet, b:1 is not connected yet, c:1 is not connected yet, 2 more are missing",
		},
	} {
		if got := why(c.status, now); got != c.want {
			t.Errorf("why =\n%s\nwant\n%s", got, c.want)
		}
	}
}
