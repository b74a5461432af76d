package page

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/goconvoke/convoke/ops"
)

const (
	maxRows      = 200 // of a table; the rest is behind a link, or is only counted
	shownEvents  = 50
	maxAgreement = 2 * time.Second // to ask all members
)

// view is all that one page shows.
type view struct {
	ops.Document
	refused []refusedPeer // wanted and not connected
	hidden  int           // refused peers beyond maxRows

	page      memberPage
	memberErr string

	picture *picture // nil without the gossip core
	zones   []zone
	events  []ops.Event // newest first

	agreement    *ops.Agreement // only if it was asked for
	agreementErr string
}

// refusedPeer is a peer that is not connected, and the topology that wants it.
type refusedPeer struct {
	topology string
	ops.Peer
}

// memberPage is one part of the table of members.
type memberPage struct {
	rows  []ops.Member
	total int
	after string // the page before ended with this name; "" on the first page
	next  string // name after which the next page begins; "" on the last
}

// zone is the links of this node to the members of one zone, the closest first.
type zone struct {
	name  string
	links []ops.Link
}

func newView(ctx context.Context, s Source, query url.Values) *view {
	v := &view{Document: s.Document(ctx)}
	v.refused, v.hidden = refusedPeers(v.Topologies)
	members, err := s.Members(ctx)
	if err != nil {
		v.memberErr = err.Error()
	}
	v.page = pageOf(members, query.Get("after"))
	v.zones = zonesOf(v.Links, members)
	if edges, err := s.Overlay(ctx); err == nil { // else the node has no gossip core, or does not run: the top of the page has that
		v.picture = newPicture(members, edges, v.Node.Name)
	}
	v.events = s.Events(shownEvents)
	slices.Reverse(v.events)
	if query.Has("agreement") {
		v.ask(ctx, s)
	}
	return v
}

// ask finds out which members have the same state.
func (v *view) ask(ctx context.Context, s Source) {
	ctx, cancel := context.WithTimeout(ctx, maxAgreement)
	defer cancel()
	agreement, err := s.Agreement(ctx)
	if err != nil {
		v.agreementErr = err.Error()
		return
	}
	v.agreement = &agreement
}

func refusedPeers(topologies []ops.Topology) (out []refusedPeer, hidden int) {
	for i := range topologies {
		t := &topologies[i]
		hidden += t.More
		for _, p := range t.Peers {
			if !p.Connected && p.Wanted {
				out = append(out, refusedPeer{t.Name, p})
			}
		}
	}
	if len(out) > maxRows {
		hidden += len(out) - maxRows
		out = out[:maxRows]
	}
	return out, hidden
}

// pageOf returns the members whose names follow one. They come in the order of their names.
func pageOf(members []ops.Member, after string) memberPage {
	p := memberPage{total: len(members), after: after}
	from := 0
	if after != "" {
		var found bool
		if from, found = slices.BinarySearchFunc(members, after, func(m ops.Member, name string) int { return cmp.Compare(m.Name, name) }); found {
			from++
		}
	}
	p.rows = members[from:min(from+maxRows, len(members))]
	if from+maxRows < len(members) {
		p.next = p.rows[len(p.rows)-1].Name
	}
	return p
}

func zonesOf(links []ops.Link, members []ops.Member) []zone {
	zoneOf := make(map[string]string, len(members))
	for i := range members {
		zoneOf[members[i].Name] = string(members[i].Zone)
	}
	byName := map[string][]ops.Link{}
	for _, l := range links {
		byName[zoneOf[l.Peer]] = append(byName[zoneOf[l.Peer]], l)
	}
	var all []zone
	for name, list := range byName {
		slices.SortFunc(list, func(a, b ops.Link) int {
			return cmp.Or(cmp.Compare(roundTrip(a), roundTrip(b)), cmp.Compare(a.Peer, b.Peer))
		})
		all = append(all, zone{name, list})
	}
	slices.SortFunc(all, func(a, b zone) int { return cmp.Compare(a.name, b.name) })
	return all
}

// roundTrip is the time to the other end and back, 0 if the system does not report it.
func roundTrip(l ops.Link) float64 {
	if l.RTT == nil {
		return 0
	}
	return *l.RTT
}
