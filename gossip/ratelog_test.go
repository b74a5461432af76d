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
	if lines := len(j.warnings()); lines > maxWarnings+1 {
		t.Errorf("%d lines logged, want at most %d", lines, maxWarnings+1)
	}
}
