package gossip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestAWarningIsLoggedAgainAfterAWhileWithItsNumber(t *testing.T) {
	j, now := new(journal), time.Now()
	l := newRateLimitedLog(newAsyncLog(hclog.New(&hclog.LoggerOptions{Output: j})), func() time.Time { return now })
	for range 5 {
		l.warn("something", "a")
		l.warn("something", "b")
		l.warn("another thing", "a")
	}
	now = now.Add(repeatAfter)
	l.warn("something", "a")
	l.log.flush(time.Minute)
	lines := j.warnings()
	if len(lines) != 4 || !strings.Contains(lines[3], "unlogged=4") {
		t.Errorf("the log warns %q, want 4 lines, the last with the 4 that were not logged", lines)
	}
}

func TestWarningsAboutManyHostsTakeBoundedMemory(t *testing.T) {
	j := new(journal)
	l := newRateLimitedLog(newAsyncLog(hclog.New(&hclog.LoggerOptions{Output: j})), time.Now)
	for i := range 10 * maxWarnings {
		l.warn("something", fmt.Sprint("host-", i))
	}
	l.log.flush(time.Minute)
	if len(l.seen) > maxWarnings+1 || len(j.warnings()) > maxWarnings+1 {
		t.Errorf("%d hosts remembered, %d lines logged, want at most %d", len(l.seen), len(j.warnings()), maxWarnings+1)
	}
}

func TestHostsAreDistinguished(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1", "[::ffff:10.0.0.1]:80": "10.0.0.1", "[::1]:80": "::1", "name:1": "name", "junk": "junk",
		"[2001:db8::1]:80": "2001:db8::/64", "[2001:db8::2]:80": "2001:db8::/64", "[fe80::1%eth0]:1": "fe80::/64",
	} {
		if got := hostOf(tcpAddr(addr)); got != want {
			t.Errorf("hostOf(%s) = %s, want %s", addr, got, want)
		}
	}
}

func TestWhatIsNormalOnceIsLoggedWhenItRepeats(t *testing.T) {
	j, now := new(journal), time.Now()
	l := newRateLimitedLog(newAsyncLog(hclog.New(&hclog.LoggerOptions{Output: j})), func() time.Time { return now })
	for range 10 { // twice every ten minutes is normal
		l.warnAfter(3, "something", "a")
		l.warnAfter(3, "something", "a")
		now = now.Add(repeatAfter)
	}
	l.log.flush(time.Minute)
	if lines := j.warnings(); len(lines) > 0 {
		t.Errorf("the log warns %q", lines)
	}
	for range 5 {
		l.warnAfter(3, "something", "b")
	}
	j.wantOnce(t, "unlogged=2")
}
