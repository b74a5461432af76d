package simulation

import (
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// A change of one key goes over each link at most once in each direction, and a record that was heard over a link does not go back
// over it. With K rings there are at most K·n links, so a change of b bytes costs a member
//
//	messages <= 2K, about 2K-1 on average,  bytes <= (2K-1)·(b + frame)
//
// whatever the number of members is.
func TestAChangeCostsAMemberTheSameAtEverySize(t *testing.T) {
	n := []int{16, 64, 256}
	if !*large {
		n = n[:2]
	}
	for _, n := range n {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w, _ := settledCluster(t, n, 11)
			w.Run(time.Minute, nil)
			const times = 100
			idleB, idleM := trafficPerMember(w, 20*time.Second)
			value := fmt.Sprintf("%064d", 0)
			before, m, at := w.Count.Bytes, w.Count.Messages, w.Now
			for i := range times {
				w.Nodes[(i*7)%n].Do(core.Set{Key: "k", Value: fmt.Sprintf("%064d", i)})
				w.Run(200*time.Millisecond, nil)
			}
			took := (w.Now - at).Seconds()
			bytes := (float64(w.Count.Bytes-before) - idleB*took) / times / float64(n)
			messages := (float64(w.Count.Messages-m) - idleM*took) / times / float64(n)
			links := 2 * float64(w.Core.Rings)
			change := float64(frameSize(&core.Delta{Records: []core.RecordDelta{{Generation: w.Nodes[0].generation, From: 1000, To: 1001,
				Entries: []core.Entry{{Kind: core.KindUser, Key: "k", Value: value, Version: 1001}}}}}))
			t.Logf("a change of %.0f B on the wire: %.2f messages and %.0f B per member; the bound is %.0f and %.0f B",
				change, messages, bytes, links, (links-1)*change)
			if messages > links || bytes > (links-1)*change {
				t.Errorf("a change costs a member %.2f messages and %.0f B, more than the bound", messages, bytes)
			}
		})
	}
}

// trafficPerMember is what all members send in a second, in bytes and messages.
func trafficPerMember(w *World, d time.Duration) (bytes, messages float64) {
	b, m := w.Count.Bytes, w.Count.Messages
	w.Run(d, nil)
	return float64(w.Count.Bytes-b) / d.Seconds(), float64(w.Count.Messages-m) / d.Seconds()
}

func TestIdleCostDoesNotGrowWithTheCluster(t *testing.T) {
	sizes := []int{64, 128}
	if *large {
		sizes = []int{64, 256, 1000}
	}
	var first float64
	for _, n := range sizes {
		w, _ := settledCluster(t, n, 7)
		w.Run(2*time.Minute, nil)
		bytes, messages := trafficPerMember(w, time.Minute)
		payload := bytes / float64(n)
		wire := payload + messages/float64(n)*2*40 // IP and TCP header of a segment, and of its ACK
		t.Logf("%d members: %.0f B/s of payload, %.0f B/s on the wire per member", n, payload, wire)
		if wire > 1300 {
			t.Errorf("%d members: %.0f B/s on the wire per member, want at most 1,300", n, wire)
		}
		if first == 0 {
			first = wire
		}
		if wire > first*1.1 || wire < first*0.9 {
			t.Errorf("%d members: %.0f B/s on the wire, more than 10 %% off the %.0f of %d", n, wire, first, sizes[0])
		}
	}
}

// A member that comes or goes makes at most 2K neighbours drop a link and 2K gain one, and those that lost or gained are 2K
// others at most in turn: 4K deltas of own records, each with a link or two, and the newcomer's whole record. Every one is a change
// as above, so the cost to a member is at most
//
//	bytes <= (2K-1)·(4K·delta + record) + 2·2K·digest / n
//
// with a delta of a few links of about 70 bytes, and does not grow with the number of members. The last term are the comparisons over the
// links of the newcomer, each with a digest of at most 40 records both ways, spread over the n members.
func TestAMemberThatComesOrGoesCostsTheSameAtEverySize(t *testing.T) {
	sizes := []int{32, 64, 128}
	if *large {
		sizes = []int{64, 256, 1000}
	}
	const delta, record, digest = 70, 300, 40 * 24 // bytes, with headers
	for _, n := range sizes {
		w, _ := settledCluster(t, n, 13)
		w.Run(2*time.Minute, nil)
		idle, _ := trafficPerMember(w, time.Minute)
		const window, times = 20 * time.Second, 12 // enough that chance moves the mean by some percent only
		var gone, come float64
		for i := range times {
			x := w.Nodes[1+(i*11)%(n-1)]
			x.Crash()
			b, _ := trafficPerMember(w, window)
			gone += (b - idle) * window.Seconds() / float64(n) / times
			x.Restart(false, w.Nodes[0].Addr)
			b, _ = trafficPerMember(w, window)
			come += (b - idle) * window.Seconds() / float64(n) / times
		}
		k := float64(w.Core.Rings)
		bound := (2*k-1)*(4*k*delta+record) + 2*2*k*digest/float64(n)
		t.Logf("%d members: one that goes costs each %.0f B, one that comes %.0f B; the bound is %.0f B", n, gone, come, bound)
		if gone > bound || come > bound {
			t.Errorf("%d members: more than the bound", n)
		}
	}
}
