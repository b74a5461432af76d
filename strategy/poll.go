package strategy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/peer"
)

// Lookup asks a source once. What it returns is how much is known:
//
//	(peers, nil)   a complete answer, also when it is empty
//	(peers, err)   an incomplete answer, if there is at least one peer
//	(nil, err)     no answer
type Lookup func(ctx context.Context) ([]peer.Peer, error)

// PollConfig is how often [Poll] looks up. Configurations of polling strategies embed it
// with `yaml:",inline"`.
type PollConfig struct {
	Interval time.Duration `yaml:"interval"` // between two lookups, 100ms to 50s
	Timeout  time.Duration `yaml:"timeout"`  // deadline of one lookup, above 0

	// MaxBackoff is the longest wait after lookups without an answer; 0 means 1 minute. The
	// author of a strategy sets it low where asking costs the source nothing, as with a file.
	MaxBackoff time.Duration `yaml:"-"`

	// Next returns how long the source lets its last answer hold (a TTL); the next lookup comes
	// after the shorter of that, 1 s at least, and Interval, ±20 %. 0 means that the source does not state one. It
	// is called after a lookup that was answered, never during one; nil means Interval.
	Next func() time.Duration `yaml:"-"`

	// Wake is sent to when the source may answer otherwise than before: a receive makes the next lookup come at
	// once, but not within 1 s of the last. nil, and a closed one, means that there is no such signal.
	Wake <-chan struct{} `yaml:"-"`
}

// DefaultPoll asks every 5 s and gives each lookup 5 s.
func DefaultPoll() PollConfig {
	return PollConfig{Interval: 5 * time.Second, Timeout: 5 * time.Second}
}

const (
	minInterval   = 100 * time.Millisecond
	maxInterval   = 50 * time.Second // with its jitter a minute, the longest age of a Set
	young         = time.Minute      // a cold start is where seconds count,
	youngInterval = time.Second      // so a young poller asks this often
	maxBackoff    = time.Minute
	jitter        = 0.2 // nodes started together do not ask together
)

// Validate reports settings that Poll cannot work with.
func (c PollConfig) Validate() error {
	var errs []error
	switch {
	case c.Interval < minInterval:
		errs = append(errs, At("interval", fmt.Errorf("%v is below the minimum of %v", c.Interval, minInterval)))
	case c.Interval > maxInterval:
		errs = append(errs, At("interval", fmt.Errorf("%v is above the maximum of %v", c.Interval, maxInterval)))
	}
	if c.Timeout <= 0 {
		errs = append(errs, At("timeout", fmt.Errorf("%v is not above 0", c.Timeout)))
	}
	return errors.Join(errs...)
}

// Poll makes a strategy of a lookup. It looks up at once, every second during the first
// minute, then every interval, each time ±20 %; after a lookup without an answer it waits twice as long
// as before, up to 60 s. Lookups never overlap. One that does not return by its deadline is reported
// by Fail when the deadline passes, and awaited before the next; one that panics ends Run with an error.
// The slice that a lookup returns is copied, so it may be kept and returned again.
func Poll(l Lookup, c PollConfig, env Env) Strategy {
	env = env.withDefaults()
	return Func(func(ctx context.Context, out Sink) error {
		p := poller{lookup: l, config: c, rand: env.Rand, begin: env.BeginLookup, born: time.Now()}
		return p.run(ctx, out)
	})
}

type poller struct {
	lookup   Lookup
	config   PollConfig
	rand     *rand.Rand
	begin    func(context.Context) (context.Context, func(int, error)) // Env.BeginLookup
	born     time.Time
	failures int // lookups without an answer in a row
}

func (p *poller) run(ctx context.Context, out Sink) error {
	if err := p.lookupOnce(ctx, out); err != nil {
		return err
	}
	wait := p.nextWait(0)
	for {
		if s, ok := out.(Scheduler); ok {
			s.Next(time.Now().Add(wait))
		}
		if err := p.waitForNext(ctx, wait); err != nil {
			return err
		}
		if err := p.lookupOnce(ctx, out); err != nil {
			return err
		}
		wait = p.nextWait(time.Since(p.born))
	}
}

// waitForNext waits between two lookups, shorter if it is woken. It returns an error when ctx is done.
func (p *poller) waitForNext(ctx context.Context, wait time.Duration) error {
	began, timer, wake := time.Now(), time.NewTimer(wait), p.config.Wake
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, open := <-wake:
			if !open {
				wake = nil
				continue
			}
			timer.Reset(min(wait, youngInterval) - time.Since(began))
		case <-timer.C:
			return nil
		}
	}
}

type lookupResult struct {
	peers []peer.Peer
	err   error
	crash error
}

// lookupOnce looks up and passes the result on. It returns an error when ctx is done or the lookup panicked.
func (p *poller) lookupOnce(ctx context.Context, out Sink) error {
	limited, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	limited, end := p.begin(limited)
	done := make(chan lookupResult, 1)
	go func() {
		a := lookupResult{crash: errors.New("lookup ended its goroutine")}
		defer func() { done <- a }()
		a = callLookup(limited, p.lookup)
	}()

	var a lookupResult
	select {
	case a = <-done:
	case <-limited.Done():
		a = p.awaitOverdue(ctx, done, out)
	}
	end(len(a.peers), cmp.Or(a.crash, a.err))
	switch {
	case a.crash != nil:
		return a.crash
	case ctx.Err() != nil:
		return ctx.Err()
	}
	reportAnswer(out, a.peers, a.err)
	p.failures++
	if a.err == nil || len(a.peers) > 0 {
		p.failures = 0
	}
	return nil
}

// awaitOverdue waits for a lookup whose deadline has passed. One that does not return soon is
// reported at once, so that a source that hangs is seen to hang.
func (p *poller) awaitOverdue(ctx context.Context, done <-chan lookupResult, out Sink) lookupResult {
	grace := time.NewTimer(minInterval)
	defer grace.Stop()
	select {
	case a := <-done:
		return a
	case <-grace.C:
	}
	if ctx.Err() == nil {
		out.Fail(fmt.Errorf("lookup is still running past its deadline of %v", p.config.Timeout))
	}
	return <-done
}

// callLookup calls the lookup; a panic becomes the crash of the answer.
func callLookup(ctx context.Context, l Lookup) (a lookupResult) {
	defer func() {
		if r := recover(); r != nil {
			a = lookupResult{crash: fmt.Errorf("lookup panicked: %v\n%s", r, debug.Stack())}
		}
	}()
	peers, err := l(ctx)
	return lookupResult{peers: peers, err: err}
}

// nextWait returns the time until the next lookup of a poller of this age.
func (p *poller) nextWait(age time.Duration) time.Duration {
	limit := p.config.MaxBackoff
	if limit <= 0 {
		limit = maxBackoff
	}
	d := p.config.Interval
	if age < young {
		d = min(d, youngInterval)
	}
	if p.failures == 0 && p.config.Next != nil {
		if next := p.config.Next(); next > 0 {
			d = min(d, max(next, youngInterval))
		}
	}
	if p.failures > 0 {
		d = max(d, backoff.Doubling(2*d, limit, p.failures))
	}
	d = backoff.Jitter(p.rand, d, jitter)
	if p.failures > 0 {
		d = min(d, limit)
	}
	return d
}
