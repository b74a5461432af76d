package strategy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// log is a sink that records what it receives and when.
type log struct {
	mu    sync.Mutex
	start time.Time
	lines []string
	times []time.Duration // since start, of each line
	sets  [][]peer.Peer
}

func (l *log) Set(p []peer.Peer) { l.add(fmt.Sprintf("set %d", len(p)), p) }
func (l *log) Add(p []peer.Peer) { l.add(fmt.Sprintf("add %d", len(p)), p) }
func (l *log) Fail(err error)    { l.add("fail "+err.Error(), nil) }

func (l *log) add(line string, p []peer.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	l.times = append(l.times, time.Since(l.start))
	l.sets = append(l.sets, p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "; ")
}

func seeded() Env { return Env{Rand: rand.New(rand.NewPCG(1, 2))} }

// poll runs a lookup for a time, ends it and returns what the sink received and what Run returned.
func poll(l Lookup, c PollConfig, d time.Duration) (*log, error) {
	out := &log{start: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	err := Poll(l, c, seeded()).Run(ctx, out)
	return out, err
}

func some(n int) []peer.Peer {
	peers := make([]peer.Peer, n)
	for i := range peers {
		peers[i].Addr = fmt.Sprintf("10.0.0.%d:1", i+1)
	}
	return peers
}

func TestPollDistinguishesTheThreeOutcomes(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name  string
		peers []peer.Peer
		err   error
		want  string
	}{
		{"complete", some(2), nil, "set 2"},
		{"complete and empty", some(0), nil, "set 0"},
		{"complete and nil", nil, nil, "set 0"},
		{"incomplete", some(1), broken, "add 1; fail broken"},
		{"incomplete without a peer is none", some(0), broken, "fail broken"},
		{"none", nil, broken, "fail broken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, err := poll(func(context.Context) ([]peer.Peer, error) { return tc.peers, tc.err }, DefaultPoll(), 500*time.Millisecond)
				if got := out.String(); got != tc.want {
					t.Errorf("the sink received %q, want %q", got, tc.want)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Run = %v, want the end of its context", err)
				}
			})
		})
	}
}

func TestPollAsksEverySecondWhileYoungThenEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := PollConfig{Interval: 30 * time.Second, Timeout: time.Second}
		out, _ := poll(func(context.Context) ([]peer.Peer, error) { return nil, nil }, c, time.Hour)
		if out.times[0] != 0 {
			t.Errorf("first lookup after %v, want at once", out.times[0])
		}
		for i, at := range out.times[1:] {
			gap, want := at-out.times[i], c.Interval
			if out.times[i] < young {
				want = youngInterval
			}
			if gap < want*8/10 || gap > want*12/10 {
				t.Errorf("%v after %v, want %v ±20 %%", gap, out.times[i], want)
			}
		}
		if n := len(out.times); n < 150 || n > 210 {
			t.Errorf("%d lookups in an hour, want about 60 and then 118", n)
		}
	})
}

func TestPollAsksAgainWhenTheSourceWakesIt(t *testing.T) {
	for next, want := range map[time.Duration]time.Duration{
		2 * time.Second:      2 * time.Second,
		time.Millisecond:     youngInterval, // at least
		0:                    10 * time.Second,
		time.Hour:            10 * time.Second, // never later than the interval
		-1 * time.Nanosecond: 10 * time.Second,
	} {
		t.Run(next.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := PollConfig{Interval: 10 * time.Second, Timeout: time.Second, Next: func() time.Duration { return next }}
				out, _ := poll(func(context.Context) ([]peer.Peer, error) { return some(1), nil }, c, 10*time.Minute)
				for i, at := range out.times[1:] {
					gap := at - out.times[i]
					if out.times[i] > young && (gap < want*8/10 || gap > want*12/10) {
						t.Errorf("%v between two lookups, want %v ±20 %%", gap, want)
					}
				}
			})
		})
	}
}

func TestPollAsksSoonWhenItIsWoken(t *testing.T) {
	const given = 2*time.Minute + 300*time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		go func() {
			for _, at := range []time.Duration{given, 100 * time.Millisecond, 100 * time.Millisecond} {
				time.Sleep(at)
				wake <- struct{}{}
			}
			close(wake) // from then on the interval holds
		}()
		c := PollConfig{Interval: 30 * time.Second, Timeout: time.Second, Wake: wake}
		out, _ := poll(func(context.Context) ([]peer.Peer, error) { return some(1), nil }, c, 10*time.Minute)
		var late []time.Duration
		for i, at := range out.times {
			if at >= given {
				late = append(late, at-given)
			}
			if i > 0 && at-out.times[i-1] < 800*time.Millisecond {
				t.Errorf("%v between two lookups, want 1 s", at-out.times[i-1])
			}
		}
		if len(late) < 3 || late[0] > time.Second || late[1]-late[0] > time.Second+100*time.Millisecond || late[2]-late[1] < 24*time.Second {
			t.Errorf("lookups %v after it was woken, want one at once, one 1 s later, the next after the interval", late)
		}
	})
}

func TestPollRepeatsAnAnswerWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := PollConfig{Interval: maxInterval, Timeout: time.Second}
		out, _ := poll(func(context.Context) ([]peer.Peer, error) { return nil, nil }, c, 10*time.Hour)
		for i, at := range out.times[1:] {
			if gap := at - out.times[i]; gap > time.Minute {
				t.Errorf("%v between two Sets", gap)
			}
		}
	})
}

func TestPollJitterSpreadsLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, _ := poll(func(context.Context) ([]peer.Peer, error) { return nil, nil }, DefaultPoll(), time.Minute)
		gaps := make(map[time.Duration]bool)
		for i, at := range out.times[1:] {
			gaps[at-out.times[i]] = true
		}
		if len(gaps) < len(out.times)-2 {
			t.Errorf("%d different gaps in %d lookups", len(gaps), len(out.times))
		}
	})
}

func TestPollBacksOffWithoutAnAnswerAndStartsOverWithOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		mended := 10 * time.Minute
		out, _ := poll(func(context.Context) ([]peer.Peer, error) {
			if time.Since(began) < mended {
				return nil, errors.New("down")
			}
			return some(1), nil
		}, DefaultPoll(), 12*time.Minute)
		wait := time.Second
		for i, at := range out.times[1:] {
			gap := at - out.times[i]
			if out.times[i] >= mended {
				if gap > 6*time.Second {
					t.Errorf("%v after an answer, want the interval", gap)
				}
				continue
			}
			if gap > maxBackoff {
				t.Errorf("waited %v, want at most %v", gap, maxBackoff)
			}
			if wait *= 2; i < 4 && (gap < wait*8/10 || gap > wait*12/10) {
				t.Errorf("wait %d is %v, want %v ±20 %%", i, gap, wait)
			}
		}
	})
}

func TestPollKeepsTheIntervalWithAnIncompleteAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, _ := poll(func(context.Context) ([]peer.Peer, error) { return some(1), errors.New("a part") }, DefaultPoll(), 10*time.Minute)
		for i, at := range out.times[1:] {
			if gap := at - out.times[i]; gap > 6*time.Second {
				t.Errorf("%v between two lookups", gap)
			}
		}
	})
}

func TestPollMaxBackoffBoundsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := PollConfig{Interval: 2 * time.Second, Timeout: time.Second, MaxBackoff: 2 * time.Second}
		out, _ := poll(func(context.Context) ([]peer.Peer, error) { return nil, errors.New("down") }, c, 10*time.Minute)
		for i, at := range out.times[1:] {
			if gap := at - out.times[i]; gap > c.MaxBackoff {
				t.Errorf("waited %v, want at most %v", gap, c.MaxBackoff)
			}
		}
	})
}

func TestPollEndsALookupAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := PollConfig{Interval: time.Second, Timeout: 3 * time.Second}
		out, _ := poll(func(ctx context.Context) ([]peer.Peer, error) { <-ctx.Done(); return nil, ctx.Err() }, c, 4*time.Second)
		if got, want := out.String(), "fail context deadline exceeded"; got != want {
			t.Errorf("the sink received %q, want %q", got, want)
		}
		if out.times[0] != c.Timeout {
			t.Errorf("Fail after %v, want %v", out.times[0], c.Timeout)
		}
	})
}

func TestPollTakesAPartialAnswerAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := PollConfig{Interval: time.Second, Timeout: 3 * time.Second}
		out, _ := poll(func(ctx context.Context) ([]peer.Peer, error) { <-ctx.Done(); return some(2), ctx.Err() }, c, 4*time.Second)
		if got, want := out.String(), "add 2; fail context deadline exceeded"; got != want {
			t.Errorf("the sink received %q, want %q", got, want)
		}
	})
}

func TestPollReportsALookupThatIgnoresItsDeadlineAndNeverOverlapsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := PollConfig{Interval: time.Second, Timeout: 2 * time.Second}
		var now, most int
		out, _ := poll(func(context.Context) ([]peer.Peer, error) {
			now++
			most = max(most, now)
			time.Sleep(10 * time.Second)
			now--
			return some(1), nil
		}, c, 11*time.Second)
		if got, want := out.String(), "fail lookup is still running past its deadline of 2s; set 1"; got != want {
			t.Errorf("the sink received %q, want %q", got, want)
		}
		if at := out.times[0]; at > c.Timeout+minInterval {
			t.Errorf("reported after %v, want about %v", at, c.Timeout)
		}
		if most != 1 {
			t.Errorf("%d lookups at once", most)
		}
	})
}

func TestPollEndsWithAnErrorWhenALookupPanicsOrEndsItsGoroutine(t *testing.T) {
	for name, tc := range map[string]struct {
		lookup Lookup
		want   string
	}{
		"panic":       {func(context.Context) ([]peer.Peer, error) { panic("boom") }, "lookup panicked: boom"},
		"nil pointer": {func(context.Context) ([]peer.Peer, error) { var p *peer.Peer; return []peer.Peer{*p}, nil }, "nil pointer"},
		"goexit":      {func(context.Context) ([]peer.Peer, error) { runtime.Goexit(); return nil, nil }, "ended its goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, err := poll(tc.lookup, DefaultPoll(), time.Minute)
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("Run = %v, want %q", err, tc.want)
				}
				if out.String() != "" {
					t.Errorf("the sink received %q, want nothing: the crash is the report", out)
				}
				if IsPermanent(err) {
					t.Error("the crash is permanent, want one that a restart may repair")
				}
			})
		})
	}
}

func TestPollReturnsAtOnceWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, d := range map[string]time.Duration{"amid a lookup": 500 * time.Millisecond, "between two": 1100 * time.Millisecond} {
			began := time.Now()
			out, err := poll(func(ctx context.Context) ([]peer.Peer, error) {
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
				return some(1), ctx.Err()
			}, DefaultPoll(), d)
			if took := time.Since(began); took != d {
				t.Errorf("%s: returned after %v, want %v", name, took, d)
			}
			if err == nil {
				t.Errorf("%s: no error, want that of the context", name)
			}
			if strings.Contains(out.String(), "fail") {
				t.Errorf("%s: a context that ended was reported: %s", name, out)
			}
		}
	})
}

func TestPollCopiesWhatALookupReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := some(2)
		out, _ := poll(func(context.Context) ([]peer.Peer, error) { return kept, nil }, DefaultPoll(), 500*time.Millisecond)
		out.sets[0][0].Addr = "changed by its owner"
		if kept[0].Addr != "10.0.0.1:1" {
			t.Errorf("the slice of the lookup holds %q, want it untouched", kept[0].Addr)
		}
	})
}

func TestPollConfigValidateReportsEveryMistake(t *testing.T) {
	for _, tc := range []struct {
		config PollConfig
		want   []string // parts of the error; none: valid
	}{
		{DefaultPoll(), nil},
		{PollConfig{Interval: minInterval, Timeout: 1}, nil},
		{PollConfig{Interval: maxInterval, Timeout: 1}, nil},
		{PollConfig{Interval: minInterval - 1, Timeout: 1}, []string{"interval", "below the minimum of 100ms"}},
		{PollConfig{Interval: maxInterval + 1, Timeout: 1}, []string{"interval", "above the maximum of 50s"}},
		{PollConfig{Interval: time.Second}, []string{"timeout", "not above 0"}},
		{PollConfig{Interval: -1, Timeout: -1}, []string{"interval", "timeout"}},
	} {
		err := tc.config.Validate()
		if (err == nil) != (tc.want == nil) {
			t.Errorf("%+v: Validate = %v", tc.config, err)
			continue
		}
		for _, part := range tc.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%+v: Validate = %q, want %q in it", tc.config, err, part)
			}
		}
	}
}
