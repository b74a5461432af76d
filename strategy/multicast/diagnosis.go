package multicast

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// diagnosis is what a run has sent and received, to explain why no peer is found.
type diagnosis struct {
	Since      time.Time         // start of the run
	At         time.Time         // of this snapshot
	Interfaces []string          // in use now, "eth0 (ipv4)"
	Targets    []string          // groups, broadcasts and seeds that heartbeats go to
	Sent       uint64            // datagrams
	Received   map[string]uint64 // datagrams by outcome: "accepted", or why they were dropped
	Peers      int               // alive now
	Announced  bool              // this node knew its own address and announced it
}

// String returns the diagnosis as one line for people, with a hint where the figures give one.
func (d diagnosis) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d peers heard in %v on %s, sending to %s: %d packets sent, %d accepted",
		d.Peers, d.At.Sub(d.Since).Round(time.Second), joinNames(d.Interfaces, "no interface"), joinNames(d.Targets, "none"),
		d.Sent, d.Received[accepted.String()])
	if r := d.rejected(); r != "" {
		b.WriteString(", dropped " + r)
	}
	if hint := d.hint(); hint != "" {
		b.WriteString("; " + hint)
	}
	return b.String()
}

func joinNames(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

// rejected lists the reasons for which packets were dropped: "3 key, 12 own".
func (d diagnosis) rejected() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(d.Received)) {
		if name != accepted.String() {
			parts = append(parts, fmt.Sprintf("%d %s", d.Received[name], name))
		}
	}
	return strings.Join(parts, ", ")
}

// hints are what a reason for dropping packets most likely means, the most specific first.
var hints = []struct {
	dropReason dropReason
	hint       string
}{
	{badKey, "others use another key: compare keys"},
	{badPlain, "others send without a key: set the same keys on every node"},
	{badSkew, "clocks differ by more than 5 minutes: synchronise them"},
	{badVersion, "others run a release with another packet version"},
	{badCluster, "others have another cluster ID: compare cluster"},
	{stale, "two nodes use one name: give each its own"},
	{badDestination, "packets arrive by other interfaces or groups: check interfaces"},
	{libcluster, "only libcluster nodes are heard: they cannot be joined"},
}

// hint returns what the figures suggest to do, "" when peers are heard or nothing stands out.
func (d diagnosis) hint() string {
	if d.Peers > 0 {
		return ""
	}
	if cause := d.cause(); cause != "" {
		return cause
	}
	switch {
	case d.Received[accepted.String()] > 0:
		return "peers were heard before; none of them is now"
	case len(d.Interfaces) == 0:
		return "no interface can be used: connect one or name one under interfaces"
	case !d.Announced:
		return "this node does not know its own address yet, so it announces nothing"
	case d.Sent > 0 && d.Received[own.String()] == 0:
		return "not even own packets come back: a firewall on this host drops UDP to the port"
	}
	return "is the port open, does the network carry multicasts, does another node run? Else list seeds"
}

// cause returns what the most telling reason for dropping packets means, "" if there was none.
func (d diagnosis) cause() string {
	for _, h := range hints {
		if d.Received[h.dropReason.String()] > 0 {
			return h.hint
		}
	}
	return ""
}

// diagnose returns what the latest run has sent and heard; it is zero before the first.
func (s *discoverer) diagnose() diagnosis {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.latest
	d.Interfaces, d.Targets = slices.Clone(d.Interfaces), slices.Clone(d.Targets)
	if s.filter != nil {
		d.Received = s.filter.countFates()
	}
	return d
}

// publishDiagnosis makes a diagnosis the latest.
func (r *runner) publishDiagnosis(d diagnosis) {
	r.strategy.mu.Lock()
	defer r.strategy.mu.Unlock()
	r.strategy.latest = d
}

func (r *runner) newDiagnosis(now time.Time) diagnosis {
	d := diagnosis{
		Since:     r.born,
		At:        now,
		Sent:      r.sender.sent,
		Received:  r.sockets.filter.countFates(),
		Peers:     len(r.table.nodes),
		Announced: r.sender.announced,
	}
	for f := range family(families) {
		l := &r.sockets.links[f]
		for _, name := range slices.Sorted(maps.Keys(l.joined)) {
			d.Interfaces = append(d.Interfaces, fmt.Sprintf("%s (%v)", name, f))
		}
		switch group := r.config.groups()[f]; {
		case len(l.joined) == 0:
		case r.config.Broadcast && f == v4:
			d.Targets = append(d.Targets, fmt.Sprintf("broadcast:%d", r.config.Port))
		default:
			d.Targets = append(d.Targets, netip.AddrPortFrom(group, uint16(r.config.Port)).String())
		}
	}
	d.Targets = append(d.Targets, r.config.Seeds...)
	return d
}
