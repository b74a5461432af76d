package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/internal/ratelog"
	"github.com/goconvoke/convoke/peer"
)

const (
	noticeDelay = time.Second // after the first peer, so that peers of one moment share a line
	noticeNames = 3           // peers that a line names
)

// noticeKind is something that happens to single peers. In a cluster of N nodes it may happen N times on each, so the log
// has a line for each peer at level DEBUG and one for many of them at the level given here.
type noticeKind struct {
	level hclog.Level
	one   string // at level DEBUG, for each peer
	many  string
}

var (
	noticeConnected   = &noticeKind{hclog.Info, "peer connected", "peers connected"}
	noticeLeft        = &noticeKind{hclog.Info, "peer has left", "peers have left"}
	noticeRemoved     = &noticeKind{hclog.Info, "peer was removed from the cluster", "peers were removed from the cluster"}
	noticeLost        = &noticeKind{hclog.Info, "peer is down or unreachable", "peers are down or unreachable"}
	noticeDropped     = &noticeKind{hclog.Info, "peer disconnected because it is no longer found", "peers disconnected because they are no longer found"}
	noticeForgotten   = &noticeKind{hclog.Info, "peer given up because no answer names it", "peers given up because no answer names them"}
	noticeUnreachable = &noticeKind{hclog.Warn, "peer cannot be reached", "peers cannot be reached; they are dialled again"}
	noticeForeign     = &noticeKind{hclog.Warn, "peer belongs to another cluster", "peers belong to another cluster"}
	noticeUntrusted   = &noticeKind{hclog.Warn, "peer has other keys or certificates", "peers have other keys or certificates than this node"}
	noticeUnlisted    = &noticeKind{hclog.Warn, "peer is not listed although it was connected", "peers are not listed although they were connected; return from List the address that was dialled, or the ID"}
	noticeStays       = &noticeKind{hclog.Warn, "peer cannot be disconnected", "peers cannot be disconnected; it is tried again more and more rarely"}
	noticeOverran     = &noticeKind{hclog.Warn, "call did not return by its deadline", "calls did not return by their deadline; each peer is called again when its call has returned"}
)

// notices are what the log has not reported yet. The reporter's mutex guards them.
type notices map[noticeKey]*notice

type noticeKey struct {
	topology string
	kind     *noticeKind
}

// args returns the topology as a pair, if the notice is of one.
func (k noticeKey) args() []any {
	if k.topology == "" {
		return nil
	}
	return []any{"topology", k.topology}
}

// notice is one kind of change of the peers of one topology.
type notice struct {
	ratelog.Pacer
	peers []peer.Peer // since the last line, each once
	addrs map[string]bool
	times int       // since the last line, each peer as often as it came
	err   error     // of the first one
	since time.Time // when the first one came
	due   time.Time // of the next line
}

// add counts a peer for the next line. It reports whether it is the first since the last line.
func (n notices) add(key noticeKey, p peer.Peer, err error, now time.Time) (first bool) {
	one := n[key]
	if one == nil {
		one = &notice{addrs: make(map[string]bool)}
		n[key] = one
	}
	one.times++
	if one.addrs[p.Addr] {
		return false
	}
	one.addrs[p.Addr] = true
	if one.peers = append(one.peers, p); len(one.peers) > 1 {
		return false
	}
	one.err, one.since, one.due = err, now, now.Add(noticeDelay)
	if next := one.Next(); next.After(one.due) {
		one.due = next
	}
	return true
}

// noticeLine is a line about many peers.
type noticeLine struct {
	noticeKey
	args []any
}

// take returns the lines that are due, or all, in a fixed order, and the time of the next; zero if none waits.
func (n notices) take(now time.Time, all bool) (due []noticeLine, next time.Time) {
	for key, one := range n {
		switch {
		case len(one.peers) == 0:
			if one.Calm(now) {
				delete(n, key)
			}
		case all || !one.due.After(now):
			args := []any{"count", len(one.peers), "peers", nameSome(one.peers)}
			if one.times > len(one.peers) {
				args = append(args, "times", one.times)
			}
			args = append(args, ratelog.Pairs(0, now.Sub(one.since))...)
			due = append(due, noticeLine{key, append(append(key.args(), args...), errorArgs(one.err)...)})
			one.Passed(now)
			one.peers, one.err, one.times = nil, nil, 0
			clear(one.addrs)
		case next.IsZero() || one.due.Before(next):
			next = one.due
		}
	}
	slices.SortFunc(due, func(a, b noticeLine) int {
		return cmp.Or(cmp.Compare(a.topology, b.topology), cmp.Compare(a.kind.many, b.kind.many))
	})
	return due, next
}

// nameSome names a few peers and counts the others: "a, b and 28 more".
func nameSome(peers []peer.Peer) string {
	var names []string
	for _, p := range peers {
		names = append(names, p.String())
	}
	if len(names) <= noticeNames {
		return strings.Join(names, ", ")
	}
	shown := noticeNames - 1
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
