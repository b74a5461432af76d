package prom

import (
	"context"
	"errors"
	"time"

	"github.com/goconvoke/convoke/gossip"
)

// askTimeout bounds a question to the loop of a node or a quorum.
const askTimeout = time.Second

var (
	gossipRunning   = gauge("gossip_running", "Whether this node takes part in its cluster: it listens, and has not stopped.")
	gossipConflict  = gauge("gossip_name_conflict", "Whether this node is out because another process has its name; it comes back when that is gone.")
	gossipMembers   = gauge("gossip_members", "Members that this node knows, itself included, by status.", "status")
	gossipChanges   = counter("gossip_member_changes_total", "Changes of other members.", "change")
	gossipConflicts = counter("gossip_name_conflicts_total", "Times that this node met two processes of one name.")
	gossipIsolated  = gauge("gossip_isolated", "Whether this node knows other members and reaches none of them.")
	gossipStaleness = gauge("gossip_staleness_seconds", "For how long some neighbour has had another state than this node.")
	gossipHash      = gauge("gossip_state_hash", "Low 53 bits of the hash of what this node knows: equal on all nodes that agree.", "of")
	gossipLinks     = gauge("gossip_links", "Links to neighbours in use.")
	gossipWanted    = gauge("gossip_links_wanted", "Members that are up and to which this node should have a link.")
	gossipPhi       = gauge("gossip_link_phi_max", "Greatest suspicion that a link is dead: -log10 of the chance that a frame is still to come.")
	gossipRTT       = gauge("gossip_link_rtt_seconds", "Round-trip times of the links, as the kernel measures them. Absent where it does not.", "of")
	gossipSpread    = summary("gossip_propagation_seconds", "How long writes of the shared map by other nodes took to this one, by the clocks of the cluster.")
	gossipBytesHeld = gauge("gossip_shared_bytes", "Size of the values of the shared map with their keys.")
	gossipLimit     = gauge("gossip_shared_limit_bytes", "Limit of gossip_shared_bytes, beyond which writes are refused.")
	gossipEntries   = gauge("gossip_shared_entries", "Entries of the shared map.", "kind")
	gossipCertEnd   = gauge("gossip_certificate_end_timestamp_seconds", "When the certificate in use ends. Absent without node.tls.")
	gossipSecurity  = gauge("gossip_security_failing", "Whether changed certificates or keys cannot be used, so that those before stay in use. Absent without node.tls and node.keys.")
	gossipDisk      = gauge("gossip_disk_failing", "Whether the state could not be written to the disk last time. Absent without node.data_dir.")
)

var gossipFamilies = append([]*family{gossipRunning, gossipConflict, gossipMembers, gossipChanges, gossipConflicts, gossipIsolated, gossipStaleness,
	gossipHash, gossipLinks, gossipWanted, gossipPhi, gossipRTT, gossipSpread, gossipBytesHeld, gossipLimit, gossipEntries, gossipCertEnd, gossipSecurity, gossipDisk}, trafficFamilies...)

// gossip sends what is known of a node, nil if there is none.
func (s scrape) gossip(n *gossip.Node) {
	if n == nil {
		s.is(gossipRunning, false)
		s.is(gossipConflict, false)
		return
	}
	err := n.Err()
	s.is(gossipRunning, err == nil)
	s.is(gossipConflict, errors.Is(err, gossip.ErrConflict))
	c := n.Counters()
	s.changes(c)
	s.traffic(c)
	s.security(n.Security())
	if n.HasDisk() {
		s.is(gossipDisk, n.DiskFailing())
	}
	if err != nil {
		return // what it knew is no state of the cluster any more
	}
	s.view(n.View())
	s.put(gossipStaleness, n.Staleness().Seconds())
	s.sizes(n)
}

// security sends how the certificates or keys of a node are.
func (s scrape) security(now gossip.Security) {
	if !now.NotAfter.IsZero() {
		s.put(gossipCertEnd, float64(now.NotAfter.Unix()))
	}
	if now.Kind == "tls" || now.Kind == "psk" {
		s.is(gossipSecurity, now.Err != nil)
	}
}

// changes sends what became of members.
func (s scrape) changes(c gossip.Counters) {
	for change, n := range map[string]uint64{
		"joined": c.Changes.Joined, "lost": c.Changes.Lost, "left": c.Changes.Left, "removed": c.Changes.Removed, "updated": c.Changes.Updated,
	} {
		s.count(gossipChanges, n, change)
	}
	s.count(gossipConflicts, c.NameConflicts)
	s.total(gossipSpread, c.Propagation)
}

// view sends what a view shows. It goes over all members.
func (s scrape) view(v *gossip.View) {
	members := map[gossip.Status]int{gossip.Up: 0, gossip.Degraded: 0, gossip.Down: 0, gossip.Left: 0}
	for m := range v.All() {
		members[m.Status]++
	}
	for status, n := range members {
		s.put(gossipMembers, float64(n), status.String())
	}
	s.is(gossipIsolated, v.Isolated)
	s.put(gossipHash, hash(v.Hash), "records")
	s.put(gossipHash, hash(v.Shared), "shared")
}

// sizes sends what the loop of the node knows, nothing if it does not return in time.
func (s scrape) sizes(n *gossip.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	stats, err := n.Stats(ctx)
	if err != nil {
		return
	}
	s.put(gossipLinks, float64(stats.Links))
	s.put(gossipWanted, float64(stats.LinksWanted))
	s.put(gossipPhi, stats.MaxPhi)
	if stats.RTT.Max > 0 {
		s.put(gossipRTT, stats.RTT.Min.Seconds(), "min")
		s.put(gossipRTT, stats.RTT.Median.Seconds(), "median")
		s.put(gossipRTT, stats.RTT.Max.Seconds(), "max")
	}
	s.put(gossipBytesHeld, float64(stats.SharedBytes))
	s.put(gossipLimit, float64(stats.SharedLimit))
	s.put(gossipEntries, float64(stats.SharedValues), "value")
	s.put(gossipEntries, float64(stats.SharedTombstones), "tombstone")
}
