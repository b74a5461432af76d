package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
)

func peersNamed(n int) (all []peer.Peer) {
	for i := range n {
		all = append(all, peer.Peer{ID: fmt.Sprint("n", i), Addr: fmt.Sprintf("10.0.0.%d:1", i)})
	}
	return all
}

func TestALineNamesAFewPeersAndCountsTheOthers(t *testing.T) {
	for n, want := range map[int]string{
		0:  "",
		1:  "n0@10.0.0.0:1",
		3:  "n0@10.0.0.0:1, n1@10.0.0.1:1, n2@10.0.0.2:1",
		4:  "n0@10.0.0.0:1, n1@10.0.0.1:1 and 2 more",
		30: "n0@10.0.0.0:1, n1@10.0.0.1:1 and 28 more",
	} {
		if got := nameSome(peersNamed(n)); got != want {
			t.Errorf("nameSome of %d peers = %q, want %q", n, got, want)
		}
	}
}

func TestEachPeerHasALineAtLevelDebugAndManyShareOneAbove(t *testing.T) {
	var text bytes.Buffer
	var r reporter
	r.init(hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: &text, DisableTime: true}))
	now := time.Now()
	for _, p := range append(peersNamed(30), peersNamed(2)...) { // two of them twice
		r.addNotice(noticeUnreachable, "lan", p, errors.New("connection refused"))
	}
	r.addNotice(noticeConnected, "lan", peer.Peer{Addr: "10.1.0.1:1"}, nil)
	if next := r.flush(now, false); next.Sub(now) < noticeDelay/2 || strings.Contains(text.String(), "[WARN]") {
		t.Errorf("the next line is due in %v, want a second, and no line before:\n%s", next.Sub(now), text.String())
	}
	r.flush(now.Add(2*noticeDelay), false)
	got := text.String()
	if n := strings.Count(got, "[DEBUG] peer cannot be reached: topology=lan peer=n"); n != 32 {
		t.Errorf("%d lines at level DEBUG, want 32", n)
	}
	for _, want := range []string{
		`[WARN]  peers cannot be reached; they are dialled again: topology=lan count=30 peers="n0@10.0.0.0:1, n1@10.0.0.1:1 and 28 more" times=32 error="connection refused"`,
		`[INFO]  peers connected: topology=lan count=1 peers=10.1.0.1:1`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("want once: %s\ngot:\n%s", want, got)
		}
	}
	before := text.Len()
	if next := r.flush(now.Add(time.Hour), true); !next.IsZero() || text.Len() != before {
		t.Errorf("nothing was noted, and the next line is due at %v after:\n%s", next, text.String()[before:])
	}
}

func TestNumbersWithinAnErrorDoNotChangeTheSubstance(t *testing.T) {
	status := func(port int) TopologyStatus {
		return TopologyStatus{Wanted: 1, MinPeers: 2, Err: fmt.Errorf("read udp 10.0.0.1:%d: i/o timeout", port)}
	}
	if a, b := substance(status(40123)), substance(status(51)); a != b {
		t.Errorf("substance = %q and %q, want the same", a, b)
	}
	other := status(51)
	other.Connected = 1
	if substance(status(51)) == substance(other) {
		t.Error("the substance is the same although another peer is connected")
	}
}

func TestAReminderComesAtOnceWhenTheSubstanceChangesAndElseEverMoreRarely(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	count := func(r *reminder, substance func(minute int) string) (lines int) {
		for i := range 360 {
			if r.due(substance(i/6), now) {
				lines++
			}
			now = now.Add(reportEvery)
		}
		return lines
	}
	var same, flaps reminder
	if n := count(&same, func(int) string { return "a" }); n < 8 || n > 12 {
		t.Errorf("%d lines in an hour without a change, want 8..12", n)
	}
	if !same.due("b", now) || same.due("b", now.Add(reportEvery/4)) {
		t.Error("a change after an hour without one is not logged once at once")
	}
	if n := count(&flaps, func(minute int) string { return fmt.Sprint(minute % 2) }); n > 25 {
		t.Errorf("%d lines in an hour with a change every minute, want at most 25", n)
	}
}
