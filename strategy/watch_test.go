package strategy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// watch runs a watch for a time, ends it and returns the calls of the sink and what Run returned.
func watch(f WatchFunc, c WatchConfig, d time.Duration) (*log, error) {
	out := &log{start: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	err := Watch(f, c, seeded()).Run(ctx, out)
	return out, err
}

// yields is a source that gives one answer and stays silent.
func yields(peers []peer.Peer, err error) WatchFunc {
	return func(ctx context.Context, yield Yield) error {
		yield(peers, err)
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestWatchReportsTheThreeOutcomes(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		peers []peer.Peer
		err   error
		want  string
	}{
		{some(2), nil, "set 2"},
		{nil, nil, "set 0"},
		{some(1), broken, "add 1; fail broken"},
		{nil, broken, "fail broken"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, err := watch(yields(tc.peers, tc.err), WatchConfig{}, 10*time.Second)
				if got := out.String(); got != tc.want {
					t.Errorf("calls of the sink: %q, want %q", got, tc.want)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Run = %v, want the end of its context", err)
				}
			})
		})
	}
}

func TestWatchRepeatsAnAnswerThatHoldsAndNoFailure(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		peers  []peer.Peer
		err    error
		repeat time.Duration
		want   time.Duration // between two repetitions; 0: there are none
	}{
		{some(2), nil, 0, repeatEvery},
		{nil, nil, 0, repeatEvery},
		{some(1), broken, 10 * time.Second, 10 * time.Second},
		{some(1), nil, time.Hour, maxInterval},
		{nil, broken, 0, 0},
	} {
		t.Run(fmt.Sprint(len(tc.peers), tc.err, tc.repeat), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, _ := watch(yields(tc.peers, tc.err), WatchConfig{Repeat: tc.repeat}, 10*time.Minute-time.Second)
				times := slices.Compact(out.times)
				if tc.want == 0 && len(times) > 1 {
					t.Errorf("a failure was repeated: %s", out)
				}
				if n := len(times); tc.want > 0 && n != int(10*time.Minute-1)/int(tc.want)+1 {
					t.Errorf("%d answers in 10 minutes, want one every %v", n, tc.want)
				}
			})
		})
	}
}

func TestWatchGivesNoRepetitionSoonAfterAnAnswerAndNoneLaterThanTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, _ := watch(func(ctx context.Context, yield Yield) error {
			for n := 1; ctx.Err() == nil; n++ {
				yield(some(n), nil)
				select {
				case <-time.After(time.Duration(n) * 3 * time.Second):
				case <-ctx.Done():
				}
			}
			return ctx.Err()
		}, WatchConfig{Repeat: 20 * time.Second}, 5*time.Minute)
		for i, at := range out.times[1:] {
			same := len(out.sets[i]) == len(out.sets[i+1])
			if gap := at - out.times[i]; gap > 20*time.Second || same && gap < 20*time.Second {
				t.Errorf("%v between the answers %d and %d", gap, i, i+1)
			}
		}
	})
}

func TestWatchCallsAgainWithABackoffAndLetsTheAnswerAgeMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Duration
		began := time.Now()
		out, _ := watch(func(_ context.Context, yield Yield) error {
			calls = append(calls, time.Since(began))
			if len(calls) == 1 {
				yield(some(1), nil)
			}
			return errors.New("the stream broke")
		}, WatchConfig{}, 20*time.Minute)
		for i, at := range calls[1:] {
			gap, want := at-calls[i], min(time.Second<<i, time.Minute)
			if gap < want*8/10 || gap > want*12/10 {
				t.Errorf("call %d came %v after the one before, want %v ±20 %%", i+2, gap, want)
			}
		}
		if n := strings.Count(out.String(), "set 1"); n != 1 {
			t.Errorf("the answer was given %d times while the source was broken, want once", n)
		}
		if n := strings.Count(out.String(), "fail the stream broke"); n != len(calls) {
			t.Errorf("%d failures reported for %d calls", n, len(calls))
		}
	})
}

func TestWatchBacksOffAgainFromTheStartAfterACallThatLasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		var ended, again []time.Time
		_, _ = watch(func(ctx context.Context, _ Yield) error {
			again = append(again, time.Now())
			if n++; n == 8 {
				time.Sleep(healthy)
			}
			ended = append(ended, time.Now())
			return nil
		}, WatchConfig{MaxBackoff: 10 * time.Second}, 3*time.Minute)
		if wait := again[7].Sub(ended[6]); wait < 8*time.Second {
			t.Errorf("waited %v after 7 failures, want about 10s", wait)
		}
		if wait := again[8].Sub(ended[7]); wait > 2*time.Second {
			t.Errorf("waited %v after a call of a minute, want about 1s", wait)
		}
	})
}

func TestWatchReportsAMissingFirstAnswerAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, _ := watch(func(ctx context.Context, yield Yield) error {
			time.Sleep(5 * time.Second)
			yield(some(1), nil)
			<-ctx.Done()
			return nil
		}, WatchConfig{FirstAnswer: 2 * time.Second}, 10*time.Second)
		if got, want := out.String(), "fail no answer within 2s; set 1"; got != want || out.times[0] != 2*time.Second {
			t.Errorf("calls of the sink: %q at %v, want %q at 2s", got, out.times, want)
		}
	})
}

func TestWatchEndsOnAPermanentErrorAndOnACrash(t *testing.T) {
	for name, tc := range map[string]struct {
		f    WatchFunc
		want string
	}{
		"permanent": {func(context.Context, Yield) error { return Permanent(errors.New("no such platform")) }, "no such platform"},
		"panic":     {func(context.Context, Yield) error { panic("boom") }, "watch panicked: boom"},
		"goexit":    {func(context.Context, Yield) error { runtime.Goexit(); return nil }, "ended its goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, err := watch(tc.f, WatchConfig{}, time.Minute)
				if err == nil || !strings.Contains(err.Error(), tc.want) || IsPermanent(err) != (name == "permanent") {
					t.Errorf("Run = %v, want %q", err, tc.want)
				}
				if out.String() != "" {
					t.Errorf("calls of the sink: %q, want none: the end of Run is the report", out)
				}
			})
		})
	}
}

func TestWatchDropsWhatIsYieldedAfterTheReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late Yield
		out, _ := watch(func(ctx context.Context, yield Yield) error {
			late = yield
			<-ctx.Done()
			return nil
		}, WatchConfig{}, time.Second)
		late(some(1), nil)
		if out.String() != "" {
			t.Errorf("calls of the sink after Run returned: %q", out)
		}
	})
}

func TestWatchCopiesWhatIsYielded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := some(2)
		out, _ := watch(func(ctx context.Context, yield Yield) error {
			yield(kept, nil)
			kept[1].Addr = "changed by its owner"
			<-ctx.Done()
			return nil
		}, WatchConfig{}, time.Minute)
		out.sets[0][0].Addr = "changed by the sink"
		if again := out.sets[1]; kept[0].Addr != "10.0.0.1:1" || again[0].Addr != "10.0.0.1:1" || again[1].Addr != "10.0.0.2:1" {
			t.Errorf("the source holds %v and the repetition has %v, want neither to see the other's changes", kept, again)
		}
	})
}
