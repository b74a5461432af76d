package multicast

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/peer"
)

var tableExpiry = DefaultConfig().peerExpiry()

var epoch = time.Unix(1000, 0)

// notLocal takes every address for one of another host.
func notLocal(netip.Addr) bool { return false }

// testPacket is a packet as a table test writes it.
type testPacket struct {
	after time.Duration // since the start
	from  string        // source address
	seq   uint64
	gen   int64
	flags byte
	addrs []string
}

func (h testPacket) handleIn(tb *peerTable) packetResult {
	from := netip.AddrPortFrom(netip.MustParseAddr(h.from), 45892)
	p := &packet{Instance: uint64(h.gen) + 100, Generation: h.gen, Seq: max(h.seq, 1), Flags: h.flags, Node: "n", Addrs: h.addrs}
	return tb.handlePacket(p, &datagram{family: familyOf(from.Addr()), from: from}, "eth0", epoch.Add(h.after))
}

func TestTheReportedAddressIsUsableAndStable(t *testing.T) {
	const ms = time.Millisecond
	any4, any6 := []string{"0.0.0.0:1"}, []string{"[::]:1"}
	both := []string{"10.0.0.1:1", "[fd00::1]:1"}
	for _, c := range []struct {
		name  string
		heard []testPacket
		at    time.Duration
		want  []string // every change reported, in order
	}{
		{"explicit", []testPacket{{from: "10.9.9.9", addrs: []string{"10.0.0.1:1"}}}, 0, []string{"10.0.0.1:1"}},
		{"unspecified IPv4", []testPacket{{from: "10.0.0.1", addrs: any4}}, 0, []string{"10.0.0.1:1"}},
		{"unspecified IPv4 heard by IPv6 alone", []testPacket{{from: "fe80::1", addrs: any4}}, time.Second, nil},
		{"unspecified IPv6 heard by IPv4", []testPacket{{from: "10.0.0.1", addrs: any6}}, 0, []string{"10.0.0.1:1"}},
		{"link-local source gets our zone", []testPacket{{from: "fe80::1%other", addrs: any6}}, time.Second, []string{"[fe80::1%eth0]:1"}},
		{"link-local announced gets our zone", []testPacket{{from: "fe80::1", addrs: []string{"[fe80::7]:1"}}}, 0, []string{"[fe80::7%eth0]:1"}},
		{"an announced address before a link-local source", []testPacket{{from: "fe80::1", addrs: []string{"[::]:1", "10.0.0.1:1"}}}, time.Second, []string{"10.0.0.1:1"}},
		{"a name", []testPacket{{from: "fe80::1", addrs: []string{"db.example:1"}}}, 0, []string{"db.example:1"}},
		{"loopback of another host", []testPacket{{from: "10.0.0.1", addrs: []string{"127.0.0.1:1", "10.0.0.1:1"}}}, 0, []string{"10.0.0.1:1"}},
		{"loopback of this host", []testPacket{{from: "127.0.0.1", addrs: []string{"127.0.0.1:1"}}}, 0, []string{"127.0.0.1:1"}},
		{"a group is no peer", []testPacket{{from: "10.0.0.1", addrs: []string{"224.0.0.1:1"}}}, time.Second, nil},
		{"no addresses", []testPacket{{from: "10.0.0.1"}}, time.Second, nil},
		{
			"preferred family first, other after",
			[]testPacket{{from: "10.0.0.1", addrs: both}, {after: 1 * ms, from: "fe80::1", seq: 2, addrs: both}},
			time.Second, []string{"10.0.0.1:1"},
		},
		{
			"other family first, preferred soon after",
			[]testPacket{{from: "fe80::1", addrs: both}, {after: 5 * ms, from: "10.0.0.1", seq: 2, addrs: both}},
			time.Second, []string{"10.0.0.1:1"},
		},
		{"other family alone is reported after a moment", []testPacket{{from: "fe80::1", addrs: both}}, time.Second, []string{"[fd00::1]:1"}},
		{
			"on all addresses of both families, IPv4 is dialled",
			[]testPacket{
				{from: "fd00::1", addrs: any6},
				{after: 1 * ms, from: "10.0.0.1", seq: 2, addrs: any6},
				{after: 2000 * ms, from: "10.0.0.1", seq: 3, addrs: any6},
				{after: 2001 * ms, from: "fd00::1", seq: 4, addrs: any6},
			},
			3 * time.Second, []string{"10.0.0.1:1"},
		},
		{
			"heard by two interfaces, the first source stays",
			[]testPacket{
				{from: "10.0.0.1", addrs: any4},
				{from: "10.0.5.1", seq: 2, addrs: any4},
				{after: 2000 * ms, from: "10.0.5.1", seq: 4, addrs: any4},
				{after: 2000 * ms, from: "10.0.0.1", seq: 3, addrs: any4},
			},
			3 * time.Second, []string{"10.0.0.1:1"},
		},
		{
			"the first source fell silent, the second takes over",
			[]testPacket{
				{from: "10.0.0.1", addrs: any4},
				{after: 9000 * ms, from: "10.0.5.1", seq: 2, addrs: any4},
				{after: 11000 * ms, from: "10.0.5.1", seq: 3, addrs: any4},
			},
			11 * time.Second, []string{"10.0.0.1:1", "10.0.5.1:1"},
		},
		{
			"a new announcement counts at once, an older one no more",
			[]testPacket{
				{from: "10.0.0.1", seq: 1, addrs: []string{"10.0.0.1:1"}},
				{after: 1 * ms, from: "10.0.0.1", seq: 3, addrs: []string{"10.0.0.2:1"}},
				{after: 2 * ms, from: "10.0.0.1", seq: 2, addrs: []string{"10.0.0.1:1"}},
			},
			time.Second, []string{"10.0.0.1:1", "10.0.0.2:1"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			tb := newTable(DefaultConfig(), notLocal)
			var got []string
			for _, h := range c.heard {
				for _, p := range h.handleIn(tb).report {
					got = append(got, p.Addr)
				}
			}
			for _, p := range tb.dueChanges(epoch.Add(c.at)) {
				got = append(got, p.Addr)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
			for _, p := range tb.liveNodes(epoch.Add(c.at)) {
				if want := c.want[len(c.want)-1]; p != (peer.Peer{ID: "n", Addr: want}) {
					t.Errorf("live holds %v, want %s", p, want)
				}
			}
		})
	}
}

func TestLivesOfANodeReplaceOneAnother(t *testing.T) {
	a1, a2 := []string{"10.0.0.1:1"}, []string{"10.0.0.2:1"}
	for _, c := range []struct {
		name       string
		heard      []testPacket
		dropReason dropReason
		want       []string
	}{
		{"a newer life", []testPacket{{from: "10.0.0.1", gen: 1, addrs: a1}, {from: "10.0.0.2", gen: 2, addrs: a2}}, accepted, a2},
		{"an older life", []testPacket{{from: "10.0.0.2", gen: 2, addrs: a2}, {from: "10.0.0.1", gen: 1, addrs: a1}}, stale, a2},
		{"leave", []testPacket{{from: "10.0.0.1", gen: 1, addrs: a1}, {from: "10.0.0.1", gen: 1, flags: flagLeave}}, accepted, nil},
		{"leave of an older life", []testPacket{{from: "10.0.0.2", gen: 2, addrs: a2}, {from: "10.0.0.1", gen: 1, flags: flagLeave}}, stale, a2},
		{"leave of a newer life", []testPacket{{from: "10.0.0.2", gen: 2, addrs: a2}, {from: "10.0.0.1", gen: 3, flags: flagLeave}}, accepted, nil},
		{
			"a clock set back at a restart counts once the newer life is silent",
			[]testPacket{{from: "10.0.0.2", gen: 2, addrs: a2}, {after: tableExpiry, from: "10.0.0.1", gen: 1, addrs: a1}},
			accepted, a1,
		},
	} {
		tb := newTable(DefaultConfig(), notLocal)
		var last packetResult
		var at time.Duration
		for _, h := range c.heard {
			last, at = h.handleIn(tb), h.after
		}
		if last.dropReason != c.dropReason {
			t.Errorf("%s: %v, want %v", c.name, last.dropReason, c.dropReason)
		}
		var got []string
		for _, p := range tb.liveNodes(epoch.Add(at)) {
			got = append(got, p.Addr)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: live %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTheTableIsBounded(t *testing.T) {
	tb := newTable(DefaultConfig(), notLocal)
	hear := func(i int, at time.Time) dropReason {
		p := &packet{Instance: uint64(i), Seq: 1, Node: fmt.Sprint(i), Addrs: []string{"10.0.0.1:1"}}
		return tb.handlePacket(p, &datagram{from: stranger}, "", at).dropReason
	}
	for i := range maxPeers {
		if v := hear(i, epoch); v != accepted {
			t.Fatalf("peer %d: %v", i, v)
		}
	}
	if v := hear(maxPeers, epoch.Add(time.Second)); v != full {
		t.Errorf("one peer more: %v, want %v", v, full)
	}
	if v := hear(7, epoch.Add(time.Second)); v != accepted {
		t.Errorf("a known peer: %v, want accepted", v)
	}
	if v := hear(maxPeers, epoch.Add(tableExpiry)); v != accepted || len(tb.liveNodes(epoch.Add(tableExpiry))) != 2 {
		t.Errorf("after the others fell silent: %v, want accepted and 2 live", v)
	}
}

func TestNodesWithoutANameAreDistinguished(t *testing.T) {
	tb := newTable(DefaultConfig(), notLocal)
	for i := range 3 {
		p := &packet{Instance: uint64(i + 1), Seq: 1, Addrs: []string{fmt.Sprintf("10.0.0.%d:1", i+1)}}
		tb.handlePacket(p, &datagram{from: stranger}, "", epoch)
	}
	want := []peer.Peer{{Addr: "10.0.0.1:1"}, {Addr: "10.0.0.2:1"}, {Addr: "10.0.0.3:1"}}
	if diff := cmp.Diff(want, tb.liveNodes(epoch)); diff != "" {
		t.Errorf("live (-want +got):\n%s", diff)
	}
}
