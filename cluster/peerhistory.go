package cluster

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/goconvoke/convoke/peer"
)

const (
	maxDeparted  = 64        // peers that are remembered after they were no longer listed
	keepDeparted = time.Hour // and for how long
)

// MissingPeer is a peer that was connected or is wanted, and is not connected now.
type MissingPeer struct {
	peer.Peer
	Since time.Time // when it was no longer listed; zero if it never was
	Left  bool      // it announced that it leaves; always false with connectors that do not report that
}

// peerHistory remembers the peers that a connector no longer lists, to name those that are missing.
type peerHistory struct {
	listed  map[string]peer.Peer   // the last list, by identity
	gone    map[string]MissingPeer // at most maxDeparted
	removed map[string]bool        // IDs of peers that were removed on purpose
}

// identity is the name under which a peer comes back: its address may be another then.
func identity(p peer.Peer) string { return cmp.Or(p.ID, p.Addr) }

// has reports whether a peer is in the last list.
func (d *peerHistory) has(p peer.Peer) bool {
	_, ok := d.listed[identity(p)]
	return ok
}

// setRemoved takes the IDs of the peers that were removed on purpose.
func (d *peerHistory) setRemoved(ids []string) {
	d.removed = nil
	for _, id := range ids {
		if d.removed == nil {
			d.removed = make(map[string]bool, len(ids))
		}
		d.removed[id] = true
	}
}

// isRemoved reports whether a peer was removed on purpose. A peer of an answer may have no ID: then it is one if all
// that had its address were removed.
func (d *peerHistory) isRemoved(p peer.Peer) bool {
	if len(d.removed) == 0 || p.ID != "" {
		return d.removed[p.ID]
	}
	found := false
	for _, gone := range d.gone {
		if gone.Addr == p.Addr {
			if !d.removed[gone.ID] {
				return false // another one had the address too
			}
			found = true
		}
	}
	return found
}

// hasLeft reports whether a peer is no longer listed because it left. A peer of an answer may have no ID: then its address counts.
func (d *peerHistory) hasLeft(p peer.Peer) bool {
	if gone, ok := d.gone[identity(p)]; ok || p.ID != "" {
		return gone.Left
	}
	for _, gone := range d.gone {
		if gone.Left && gone.Addr == p.Addr {
			return true
		}
	}
	return false
}

// update takes a new list and the peers that have left, and returns those of the last list that are not in this one. A list with the
// same peers costs no memory.
func (d *peerHistory) update(list, left []peer.Peer, now time.Time) (gone []MissingPeer) {
	if len(list) == len(d.listed) && !slices.ContainsFunc(list, func(p peer.Peer) bool { return !d.has(p) }) {
		return nil
	}
	before := d.listed
	d.listed = make(map[string]peer.Peer, len(list))
	for _, p := range list {
		d.listed[identity(p)] = p
		delete(d.gone, identity(p))
	}
	if d.gone == nil {
		d.gone = make(map[string]MissingPeer)
	}
	hasLeft := make(map[string]bool, len(left))
	for _, p := range left {
		hasLeft[identity(p)] = true
	}
	for id, p := range before {
		if _, still := d.listed[id]; !still {
			d.gone[id] = MissingPeer{p, now, hasLeft[id]}
			gone = append(gone, d.gone[id])
		}
	}
	d.pruneOld(now)
	return gone
}

// pruneOld forgets the departures that are old, and the oldest of too many. The address of a peer that was removed is remembered for as long as the
// removal: answers may name it for ever.
func (d *peerHistory) pruneOld(now time.Time) {
	maps.DeleteFunc(d.gone, func(_ string, p MissingPeer) bool { return now.Sub(p.Since) > keepDeparted && !d.removed[p.ID] })
	if len(d.gone) > maxDeparted {
		for _, p := range slices.SortedFunc(maps.Values(d.gone), byAge)[maxDeparted:] {
			delete(d.gone, identity(p.Peer))
		}
	}
}

// byAge orders the latest departure first.
func byAge(a, b MissingPeer) int {
	return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.Addr, b.Addr))
}

// missing returns at most n peers that are most likely those that a topology lacks: first those that were listed and are
// wanted, then those that were listed, then those that are wanted. Those that were removed on purpose are returned apart, whatever n is.
func (d *peerHistory) missing(n int, peers []PeerStatus) (missing, removed []MissingPeer) {
	if n <= 0 && len(d.removed) == 0 {
		return nil, nil
	}
	gone := slices.SortedFunc(maps.Values(d.gone), byAge)
	wanted := make(map[string]bool)
	var never []MissingPeer
	for _, p := range peers {
		if !p.Wanted || p.Connected {
			continue
		}
		known := slices.IndexFunc(gone, func(m MissingPeer) bool { return m.Addr == p.Addr || p.ID != "" && m.ID == p.ID })
		if known >= 0 {
			wanted[identity(gone[known].Peer)] = true
		} else {
			never = append(never, MissingPeer{Peer: p.Peer})
		}
	}
	slices.SortStableFunc(gone, func(a, b MissingPeer) int {
		return cmp.Compare(rank(wanted[identity(a.Peer)]), rank(wanted[identity(b.Peer)]))
	})
	for _, m := range append(gone, never...) {
		if d.isRemoved(m.Peer) {
			removed = append(removed, m)
		} else if len(missing) < n {
			missing = append(missing, m)
		}
	}
	return missing, removed[:min(maxDeparted, len(removed))]
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}
