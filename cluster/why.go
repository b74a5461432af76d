package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// whyPeers is how many failing peers a sentence names.
const whyPeers = 3

// why returns in one sentence why a topology is whole, or what it lacks: what was asked, what came
// back when, which dials failed with which error, what it waits for.
func why(t TopologyStatus, now time.Time) string {
	parts := []string{whySource(t, now)}
	if t.EmptyHeld > 0 {
		parts = append(parts, fmt.Sprintf("%s empty since, not believed yet", plural(t.EmptyHeld, "answer")))
	}
	if t.Handover != nil {
		parts = append(parts, fmt.Sprintf("the changed configuration waits for its first answer: %v", t.Handover))
	}
	if t.ListErr != nil {
		parts = append(parts, fmt.Sprintf("connector %s cannot list its peers: %v", t.Connector, t.ListErr))
	}
	if t.Leaving {
		parts = append(parts, "this node is no longer in the answers, so it dials no peer")
	}
	parts = append(parts, whyPeersFail(t, now)...)
	return strings.Join(append(parts, describeProgress(t, now)), "; ")
}

// whySource is what the strategy reported.
func whySource(t TopologyStatus, now time.Time) string {
	found := fmt.Sprintf("%s found", plural(t.Wanted, "peer"))
	switch {
	case t.State == Failed:
		return fmt.Sprintf("%s cannot work here: %v", t.Strategy, t.Err)
	case t.LastSet.IsZero() && t.Err != nil:
		return fmt.Sprintf("%s gave no complete answer yet (%v), %s", t.Strategy, t.Err, found)
	case t.LastSet.IsZero():
		return fmt.Sprintf("%s gave no complete answer yet, %s", t.Strategy, found)
	case t.Err != nil:
		return fmt.Sprintf("%s fails (%v), last complete answer %s ago, %s", t.Strategy, t.Err, ago(now, t.LastSet), found)
	}
	return fmt.Sprintf("%s answered %s ago, %s", t.Strategy, ago(now, t.LastSet), found)
}

// whyPeersFail names the first peers that are wanted and cannot be reached, or are not wanted and cannot be disconnected.
func whyPeersFail(t TopologyStatus, now time.Time) []string {
	var parts []string
	more := 0
	for _, p := range t.Peers {
		switch {
		case p.Err == nil || p.Wanted == p.Connected || t.removed(p.Peer):
		case len(parts) == whyPeers:
			more++
		default:
			next := "now"
			if wait := p.Next.Sub(now); wait > 0 {
				next = "in " + wait.Round(time.Second).String()
			}
			what := ""
			if p.Connected {
				what = " cannot be disconnected"
			}
			parts = append(parts, fmt.Sprintf("%s%s: %v (next try %s)", p.Peer, what, p.Err, next))
		}
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("%d more fail", more))
	}
	return parts
}

// describeProgress returns how many nodes are together, and which are missing.
func describeProgress(t TopologyStatus, now time.Time) string {
	together := fmt.Sprintf("%d connected", t.Connected)
	if t.Expect > 0 {
		together = fmt.Sprintf("%d of %d nodes are together", t.Connected+1, t.Expect)
	}
	switch {
	case t.Whole:
		return together
	case t.MinPeers == 0 && !t.LastSet.IsZero():
		return together
	case t.MinPeers == 0 && t.LastAdd.IsZero():
		return together + ", waiting for a complete answer"
	case t.MinPeers == 0:
		return together + ", waiting for a complete answer; if this source gives none, set expect or min_peers"
	case t.Expect > 0 && t.MinPeers+1 < t.Expect:
		together += fmt.Sprintf(", %d suffice", t.MinPeers+1)
	case t.Expect == 0:
		together += fmt.Sprintf(" of %d", t.MinPeers)
	}
	if t.Connected >= t.MinPeers { // the connector cannot list them now
		return together
	}
	return together + "; " + nameMissing(t, now)
}

// nameMissing names the nodes that a topology most likely lacks, and since when.
func nameMissing(t TopologyStatus, now time.Time) string {
	var names []string
	for _, m := range t.Missing[:min(whyPeers, len(t.Missing))] {
		state := " is not connected yet"
		switch {
		case m.Left:
			state = " left at " + clock(now, m.Since)
		case !m.Since.IsZero():
			state = " is down since " + clock(now, m.Since)
		}
		names = append(names, m.Peer.String()+state)
	}
	missing := max(t.Expect-1, t.MinPeers) - t.Connected
	removed := min(len(t.Removed), max(0, missing-len(t.Missing)))
	rest := missing - len(names) - removed
	switch {
	case rest > 0 && len(t.Missing) > whyPeers:
		names = append(names, fmt.Sprintf("%d more are missing", rest))
	case rest == 1:
		names = append(names, "1 node is in no answer")
	case rest > 1:
		names = append(names, fmt.Sprintf("%d nodes are in no answer", rest))
	}
	if removed > 0 {
		names = append(names, nameRemoved(t, removed))
	}
	return strings.Join(names, ", ")
}

// nameRemoved names so many of the nodes that were removed on purpose: the topology waits for others in their place.
func nameRemoved(t TopologyStatus, n int) string {
	var names []string
	for _, m := range t.Removed[:min(whyPeers, n)] {
		names = append(names, m.Peer.String())
	}
	if n > len(names) {
		names = append(names, fmt.Sprintf("%d more", n-len(names)))
	}
	was, key, other := "was", "expect", "another node"
	if n > 1 {
		was, other = "were", "other nodes"
	}
	if t.Expect == 0 {
		key = "min_peers"
	}
	return fmt.Sprintf("%s %s removed: start %s, or lower %s", strings.Join(names, " and "), was, other, key)
}

// removed reports whether a peer was removed on purpose.
func (t *TopologyStatus) removed(p peer.Peer) bool {
	return slices.ContainsFunc(t.Removed, func(m MissingPeer) bool {
		return m.ID == p.ID || (m.ID == "" || p.ID == "") && m.Addr == p.Addr
	})
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// clock returns the time of day, with the date if that is more than a day ago.
func clock(now, then time.Time) string {
	if now.Sub(then) > 24*time.Hour {
		return then.Format(time.DateTime)
	}
	return then.Format(time.TimeOnly)
}

func ago(now, then time.Time) string { return now.Sub(then).Round(time.Second).String() }
