package gossip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestTroubleIsSaidAgainAfterAWhileWithItsNumber(t *testing.T) {
	j, now := new(journal), time.Now()
	tr := troubles{log: hclog.New(&hclog.LoggerOptions{Output: j}), now: func() time.Time { return now }, seen: make(map[trouble]*seen)}
	for range 5 {
		tr.warn("something", "a")
		tr.warn("something", "b")
		tr.warn("another thing", "a")
	}
	now = now.Add(troubleGap)
	tr.warn("something", "a")
	lines := j.warnings()
	if len(lines) != 4 || !strings.Contains(lines[3], "unlogged=4") {
		t.Errorf("the log warns %q, want 4 lines, the last with the 4 that were not logged", lines)
	}
}

func TestTroubleWithAllTheWorldTakesBoundedRoom(t *testing.T) {
	j := new(journal)
	tr := troubles{log: hclog.New(&hclog.LoggerOptions{Output: j}), now: time.Now, seen: make(map[trouble]*seen)}
	for i := range 10 * maxTroubles {
		tr.warn("something", fmt.Sprint("host-", i))
	}
	if len(tr.seen) > maxTroubles+1 || len(j.warnings()) > maxTroubles+1 {
		t.Errorf("%d hosts remembered, %d lines logged, want at most %d", len(tr.seen), len(j.warnings()), maxTroubles+1)
	}
}

func TestHostsAreToldApart(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1", "[::ffff:10.0.0.1]:80": "10.0.0.1", "[::1]:80": "::1", "name:1": "name", "junk": "junk",
		"[2001:db8::1]:80": "2001:db8::/64", "[2001:db8::2]:80": "2001:db8::/64", "[fe80::1%eth0]:1": "fe80::/64",
	} {
		if got := hostOf(tcpAddr(addr)); got != want {
			t.Errorf("hostOf(%s) = %s, want %s", addr, got, want)
		}
	}
}

func TestWhatMayHappenOnceIsSaidWhenItHappensAgain(t *testing.T) {
	j, now := new(journal), time.Now()
	tr := troubles{log: hclog.New(&hclog.LoggerOptions{Output: j}), now: func() time.Time { return now }, seen: make(map[trouble]*seen)}
	for range 10 { // twice every ten minutes is no trouble
		tr.warnAfter(3, "something", "a")
		tr.warnAfter(3, "something", "a")
		now = now.Add(troubleGap)
	}
	if lines := j.warnings(); len(lines) > 0 {
		t.Errorf("the log warns %q", lines)
	}
	for range 5 {
		tr.warnAfter(3, "something", "b")
	}
	j.wantOnce(t, "unlogged=2")
}
