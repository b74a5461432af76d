package cluster

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/peer"
)

const (
	// An empty answer after one with peers is believed when it came this often over this long.
	emptyAnswers = 3
	emptyTime    = 30 * time.Second
)

// knownPeers are the peers of one strategy that is followed without a connector.
type knownPeers struct {
	byAddr map[string]knownPeer

	// answering is for how long the source has given answers that name peers. It stands still while the source fails, so
	// that an outage makes no peer older.
	answering  time.Duration
	lastAnswer time.Time

	empty     int // empty answers in a row that are held back
	emptyFrom time.Time
}

// knownPeer is a peer and the value of answering when it was last named.
type knownPeer struct {
	peer  peer.Peer
	named time.Duration
}

// set takes a complete answer and reports whether it counts.
func (k *knownPeers) set(all []peer.Peer, now time.Time) bool {
	if len(all) > 0 || len(k.byAddr) == 0 {
		k.empty = 0
	} else {
		if k.empty++; k.empty == 1 {
			k.emptyFrom = now
		}
		if k.empty < emptyAnswers || now.Sub(k.emptyFrom) < emptyTime {
			return false
		}
	}
	k.byAddr = make(map[string]knownPeer, len(all))
	k.name(all, now)
	return true
}

// add takes an incomplete answer and drops the peers that such answers have not named for ForgetAfter.
func (k *knownPeers) add(some []peer.Peer, now time.Time) {
	if k.byAddr == nil {
		k.byAddr = make(map[string]knownPeer, len(some))
	}
	k.name(some, now)
	maps.DeleteFunc(k.byAddr, func(_ string, p knownPeer) bool { return k.answering-p.named >= reconcile.ForgetAfter })
}

// fail takes a failure: an empty answer must be repeated without one between.
func (k *knownPeers) fail() { k.empty = 0 }

// name notes that peers were named. A pause beyond StaleAfter counts as that long, because a source that works repeats its
// answer earlier.
func (k *knownPeers) name(peers []peer.Peer, now time.Time) {
	if len(peers) == 0 {
		return
	}
	if !k.lastAnswer.IsZero() {
		k.answering += min(now.Sub(k.lastAnswer), reconcile.StaleAfter)
	}
	k.lastAnswer = now
	for _, p := range peers {
		k.byAddr[p.Addr] = knownPeer{p, k.answering}
	}
}

// list returns the peers, sorted by address.
func (k *knownPeers) list() []peer.Peer {
	all := make([]peer.Peer, 0, len(k.byAddr))
	for _, p := range k.byAddr {
		all = append(all, p.peer)
	}
	slices.SortFunc(all, func(a, b peer.Peer) int { return cmp.Compare(a.Addr, b.Addr) })
	return all
}
