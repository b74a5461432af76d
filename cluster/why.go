package cluster

import (
	"fmt"
	"strings"
	"time"
)

// whyPeers is how many failing peers a sentence names.
const whyPeers = 3

// why returns in one sentence why a topology is ready, or what it lacks: what was asked, what came
// back when, who was dialled with which error, what is awaited.
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
	return strings.Join(append(parts, whatIsAwaited(t)), "; ")
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
		case p.Err == nil || p.Wanted == p.Connected:
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

func whatIsAwaited(t TopologyStatus) string {
	connected := fmt.Sprintf("%d connected", t.Connected)
	switch {
	case t.Ready:
		return connected
	case t.Expect > 0:
		return fmt.Sprintf("%s, waiting for %d of %d nodes", connected, t.MinPeers+1, t.Expect)
	case t.MinPeers > 0:
		return fmt.Sprintf("%s, waiting for %s", connected, plural(t.MinPeers, "peer"))
	}
	awaited := connected + ", waiting for a complete answer"
	if t.LastAdd.IsZero() {
		return awaited
	}
	return awaited + "; if this source gives none, set expect or min_peers"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func ago(now, then time.Time) string { return now.Sub(then).Round(time.Second).String() }
