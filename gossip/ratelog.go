package gossip

import (
	"time"

	"github.com/goconvoke/convoke/internal/ratelog"
)

const (
	// repeatAfter is how long the same warning about the same host is not logged again.
	repeatAfter = 10 * time.Minute
	// maxWarnings bounds the pairs of warning and host that are remembered; beyond, hosts are not distinguished.
	maxWarnings = 1024
)

// rateLimitedLog logs each kind of warning once per host, and then at most once in repeatAfter with the number of times it came
// since: a node that the whole world can reach must not fill a disk.
type rateLimitedLog struct {
	log     *asyncLog
	now     func() time.Time
	limiter ratelog.Limiter
}

func newRateLimitedLog(log *asyncLog, now func() time.Time) *rateLimitedLog {
	return &rateLimitedLog{log: log, now: now, limiter: ratelog.Limiter{Every: repeatAfter, Most: maxWarnings}}
}

// warn logs what happened with a host, "" for many or none, if it is time. The message must be constant.
func (l *rateLimitedLog) warn(message, host string, args ...any) {
	l.warnAfter(1, message, host, args...)
}

// warnAfter is warn for what is normal unless it comes so many times within repeatAfter.
func (l *rateLimitedLog) warnAfter(times int, message, host string, args ...any) {
	unlogged, ok := l.limiter.AllowAfter(times, message, host, l.now())
	if !ok {
		return
	}
	if unlogged > 0 {
		args = append(args, ratelog.UnloggedKey, unlogged)
	}
	l.log.Warn(message, args...)
}
