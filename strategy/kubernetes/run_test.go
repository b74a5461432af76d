package kubernetes

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/kubernetestest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// testBed is a server without a network and a Run that asks it, in a bubble.
type testBed struct {
	*kubernetestest.Server
	*strategytest.Sink
	t     *testing.T
	pipe  *strategytest.Listener
	dial  atomic.Pointer[strategy.DialFunc] // to the pipe, unless a test sets another one
	dir   string                            // of the service account
	logs  *logs
	since int // calls that were looked at
}

// logs takes log lines from any goroutine.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// bubble runs a test against a fresh test bed, whose strategy is not started yet.
func bubble(t *testing.T, test func(l *testBed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pipe := strategytest.Listen("127.0.0.1:6443")
		l := &testBed{Server: kubernetestest.New(t, pipe), Sink: new(strategytest.Sink), t: t, pipe: pipe, logs: new(logs)}
		l.dialBy(pipe.Dial)
		l.dir = l.ServiceAccount("shop")
		test(l)
	})
}

// dialBy makes the strategy dial in this way.
func (l *testBed) dialBy(f strategy.DialFunc) { l.dial.Store(&f) }

// run starts the strategy with further configuration; without a selector it looks for the Service orders.
func (l *testBed) run(more ...string) {
	l.t.Helper()
	text := strings.Join(more, "\n") + "\n"
	if !strings.Contains(text, "kubeconfig:") {
		text += fmt.Sprintf("api: %s\nservice_account: %s\n", l.URL(), l.dir)
	}
	if !strings.Contains(text, "selector:") {
		text += "service: orders\n"
	}
	configured, err := configure(l.t, text)
	if err != nil {
		l.t.Fatal(err)
	}
	s, err := configured.New(strategy.Env{
		Log: hclog.New(&hclog.LoggerOptions{Output: l.logs, Level: hclog.Debug}),
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return (*l.dial.Load())(ctx, network, addr)
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l.Sink) }()
	l.t.Cleanup(func() {
		cancel()
		if err := <-done; err != context.Canceled {
			l.t.Errorf("Run returned %v, want the error of its context", err)
		}
	})
}

// put puts a slice with endpoints called a, b, … at these addresses.
func (l *testBed) put(name string, ips ...string) {
	var all []kubernetestest.Object
	for i, ip := range ips {
		all = append(all, kubernetestest.Endpoint(fmt.Sprintf("%s-%c", name, 'a'+i), ip))
	}
	l.Put(kubernetestest.Slices, "shop", name, kubernetestest.Slice("orders", 7946, all...))
}

// after lets time pass and checks what the sink received meanwhile: the calls without their repetitions,
// sorted, without the errors.
func (l *testBed) after(d time.Duration, want string) []strategytest.Call {
	l.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	all := l.Calls()
	calls := all[l.since:]
	l.since = len(all)
	if got := strategytest.Summary(calls); got != want {
		l.t.Errorf("received within %v: %s\nwant: %s\n%v\n%s", d, got, want, calls, l.logs)
	}
	return calls
}

const soon = 5 * time.Second

func TestWatchFollowsEveryChange(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s1", "10.0.0.1")
		l.run()
		l.after(soon, "Set(10.0.0.1:7946)")
		l.put("s2", "10.0.0.2", "10.0.0.3")
		l.after(soon, "Set(10.0.0.1:7946 10.0.0.2:7946 10.0.0.3:7946)")
		l.put("s2", "10.0.0.3")
		l.after(soon, "Set(10.0.0.1:7946 10.0.0.3:7946)")
		l.Delete(kubernetestest.Slices, "shop", "s1")
		l.after(soon, "Set(10.0.0.3:7946)")
		l.Put(kubernetestest.Slices, "shop", "other", kubernetestest.Slice("carts", 1, kubernetestest.Endpoint("c", "10.9.9.9")))
		l.after(soon, "") // of another Service: a bookmark at most
		if n := len(l.Requests()); n != 2 {
			t.Errorf("%d requests, want a list and a watch: %q", n, l.Requests())
		}
	})
}

func TestOneAnswerForManyChangesAndNoneHeldBackForLong(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.run()
		l.after(soon, "Set(10.0.0.1:7946)")
		for i := range 50 { // 5 s of a change each 100 ms
			l.put("s", fmt.Sprintf("10.0.1.%d", i))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(soon)
		synctest.Wait()
		calls := l.Calls()[l.since:]
		if n := len(calls); n < 4 || n > 8 {
			t.Errorf("%d answers for 50 changes in 5 s, want about one a second: %v", n, calls)
		}
		if last := calls[len(calls)-1].String(); last != "Set(10.0.1.49:7946)" {
			t.Errorf("the last answer is %s, want the last change", last)
		}
	})
}

func TestAWatchThatEndsIsOpenedAgainWithoutAWord(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.run()
		l.after(soon, "Set(10.0.0.1:7946)")
		for range 3 {
			l.CutWatches()
			l.put("s", "10.0.0.2")
			l.after(soon, "Set(10.0.0.2:7946)")
			l.put("s", "10.0.0.3")
			l.after(soon, "Set(10.0.0.3:7946)")
		}
	})
}

func TestAVersionTheServerForgotIsListedAgainWithoutAFailure(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.run()
		l.after(soon, "Set(10.0.0.1:7946)")
		l.put("s", "10.0.0.2")
		l.Forget() // in the stream: ERROR 410
		l.after(soon, "Set(10.0.0.2:7946)")
		l.Fault(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("watch") { // as an answer
				l.Fault(nil)
				kubernetestest.Refuse(w, http.StatusGone, "Expired", "too old resource version")
				return
			}
			l.Serve(w, r)
		})
		l.CutWatches()
		l.put("s", "10.0.0.3")
		l.after(soon, "Set(10.0.0.3:7946)")
		l.put("s", "10.0.0.4")
		l.after(soon, "Set(10.0.0.4:7946)")
	})
}

func TestAWatchThatFellSilentIsRepairedByTheRelist(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.run("relist: 2m")
		l.after(soon, "Set(10.0.0.1:7946)")
		l.Freeze(true)
		l.put("s", "10.0.0.2")
		l.after(time.Minute, "Set(10.0.0.1:7946)") // no other source knows better
		l.after(2*time.Minute, "Set(10.0.0.1:7946) Set(10.0.0.2:7946)")
		l.after(10*time.Minute, "Set(10.0.0.2:7946)")
	})
}

func TestAnAnswerIsRepeatedOnlyWhileListAndWatchWork(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.run()
		l.after(time.Hour, "Set(10.0.0.1:7946)")
		l.Fault(func(w http.ResponseWriter, _ *http.Request) {
			kubernetestest.Refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "etcd has no leader")
		})
		l.CutWatches()
		calls := l.after(10*time.Minute, "Fail")
		if n := len(calls); n < 12 || n > 30 {
			t.Errorf("%d Fails in 10 min, want a backoff to 30..45 s", n)
		}
		if err := calls[1].Err.Error(); !strings.Contains(err, "list endpointslices in namespace shop") || !strings.Contains(err, "etcd has no leader") {
			t.Errorf("error = %q, want what was asked and what the server answered", err)
		}
		l.Fault(nil)
		l.after(time.Minute, "Set(10.0.0.1:7946)")
	})
}

func TestAListAloneIsAnAnswerThoughTheWatchIsForbidden(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.Fault(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("watch") {
				kubernetestest.Refuse(w, http.StatusForbidden, "Forbidden", "watch is forbidden")
				return
			}
			l.Serve(w, r)
		})
		l.run()
		l.after(500*time.Millisecond, "Fail Set(10.0.0.1:7946)")
		if first := l.Calls()[0].Method; first != strategytest.Set {
			t.Errorf("the first call is %s, want Set", first)
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for _, mode := range []string{"watch: true", "watch: false"} {
		bubble(t, func(l *testBed) {
			l.Fault(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "120")
				kubernetestest.Refuse(w, http.StatusTooManyRequests, "TooManyRequests", "slow down")
			})
			l.run(mode)
			time.Sleep(110 * time.Second)
			synctest.Wait()
			if n := len(l.Requests()); n != 1 {
				t.Errorf("%s: %d requests within 110 s of Retry-After: 120, want 1", mode, n)
			}
			if first := l.Calls()[0]; first.Method != strategytest.Fail || !strings.Contains(first.Err.Error(), "slow down") {
				t.Errorf("%s: the first call is %v, want a Fail that quotes the server", mode, first)
			}
		})
	}
}

func TestAFailingContinuationIsAnAdd(t *testing.T) {
	for _, mode := range []string{"watch: true", "watch: false"} {
		bubble(t, func(l *testBed) {
			for i := range 520 {
				l.put(fmt.Sprintf("s%03d", i), fmt.Sprintf("10.0.%d.%d", i/250, i%250))
			}
			var mended atomic.Bool
			l.Fault(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("continue") && !mended.Load() {
					kubernetestest.Refuse(w, http.StatusInternalServerError, "InternalError", "asked to be broken")
					return
				}
				l.Serve(w, r)
			})
			l.run(mode)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			calls := l.Calls()
			if len(calls) != 2 || calls[0].Method != strategytest.Add || len(calls[0].Peers) != 500 || calls[1].Method != strategytest.Fail {
				t.Fatalf("%s: %d calls, want an Add of 500 and a Fail", mode, len(calls))
			}
			mended.Store(true)
			time.Sleep(soon)
			synctest.Wait()
			if last := l.Calls()[len(l.Calls())-1]; last.Method != strategytest.Set || len(last.Peers) != 520 {
				t.Errorf("%s: the last call is %s of %d, want a Set of 520", mode, last.Method, len(last.Peers))
			}
		})
	}
}

func TestAListThatChangesBetweenItsPagesIsListedAgainWithoutAWord(t *testing.T) {
	bubble(t, func(l *testBed) {
		for i := range 520 {
			l.put(fmt.Sprintf("s%03d", i), fmt.Sprintf("10.0.%d.%d", i/250, i%250))
		}
		l.Fault(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("continue") {
				l.Forget() // the version of the first page is gone: 410
			}
			l.Serve(w, r)
		})
		l.run()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if calls := l.Calls(); len(calls) != 1 || calls[0].Method != strategytest.Set || len(calls[0].Peers) != 520 {
			t.Errorf("%d calls, want one Set of 520", len(calls))
		}
	})
}

func TestANamespaceThatFailsLeavesTheOthers(t *testing.T) {
	for _, mode := range []string{"watch: true", "watch: false"} {
		bubble(t, func(l *testBed) {
			l.put("s", "10.0.0.1")
			l.Put(kubernetestest.Slices, "quay", "s", kubernetestest.Slice("orders", 7946, kubernetestest.Endpoint("q", "10.0.0.2")))
			l.Deny("quay")
			l.run("namespaces: [shop, quay]", mode)
			calls := l.after(500*time.Millisecond, "Add(10.0.0.1:7946) Fail")
			if err := calls[len(calls)-1].Err; err != nil && !strings.Contains(err.Error(), "allow service account shop/cart to list") {
				t.Errorf("%s: error = %q, want what to allow", mode, err)
			}
			l.Deny()
			time.Sleep(time.Minute)
			l.since = len(l.Calls())
			l.after(time.Minute, "Set(10.0.0.1:7946 10.0.0.2:7946)")
		})
	}
}

func TestAnObjectThatCannotBeReadIsSkippedAndReported(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		bad := kubernetestest.Slice("orders", 7946)
		bad["endpoints"] = "many"
		l.Put(kubernetestest.Slices, "shop", "bad", bad)
		l.run()
		l.after(500*time.Millisecond, "Add(10.0.0.1:7946) Fail")
		l.Delete(kubernetestest.Slices, "shop", "bad")
		l.after(soon, "Set(10.0.0.1:7946)")
	})
}

func TestPodsAreSelectedByLabelsAndFields(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.Put(kubernetestest.Pods, "shop", "a", kubernetestest.Pod("orders", 7946, "10.0.0.1", "fd00::1"))
		l.Put(kubernetestest.Pods, "shop", "b", kubernetestest.Pod("carts", 7946, "10.0.0.2"))
		l.run("source: pods", "selector: app=orders", "field_selector: status.phase=Running")
		l.after(soon, "Set(10.0.0.1:7946)")
		request := l.Requests()[0]
		if !strings.Contains(request, "labelSelector=app%3Dorders") || !strings.Contains(request, "fieldSelector=status.phase%3DRunning") {
			t.Errorf("request %s, want both selectors", request)
		}
	})
}

func TestPollsEachIntervalFromTheCacheOfTheServer(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.run("watch: false")
		time.Sleep(2 * time.Minute)
		before := len(l.Requests())
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(l.Requests()) - before; n < 50 || n > 75 {
			t.Errorf("%d requests in 10 min, want about 60", n)
		}
		for _, r := range l.Requests() {
			if !strings.Contains(r, "resourceVersion=0") || !strings.Contains(r, "limit=500") || strings.Contains(r, "watch") {
				t.Fatalf("request %s, want a list of 500 with resourceVersion=0", r)
			}
		}
	})
}

func TestAWatchThatIsHeldBackIsNotWaitedFor(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.Fault(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("watch") {
				<-r.Context().Done() // a proxy waits for the first event
				return
			}
			l.Serve(w, r)
		})
		l.run()
		calls := l.after(11*time.Second, "Fail Set(10.0.0.1:7946)")
		if err := calls[1].Err.Error(); !strings.Contains(err, "no answer within 10s") || !strings.Contains(err, "watch: false") {
			t.Errorf("error = %q, want that the watch is held back and what to do", err)
		}
	})
}

func TestNoPeerFoundIsAnAnswerWithAHint(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.run()
		l.after(time.Hour, "Set()")
		if n := strings.Count(l.logs.String(), "no peer is found"); n != 1 || !strings.Contains(l.logs.String(), "kubernetes.io/service-name=orders") {
			t.Errorf("%d hints, want one that names the selector:\n%s", n, l.logs)
		}
	})
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path ...string) {
	t.Helper()
	if err := os.Remove(filepath.Join(path...)); err != nil {
		t.Fatal(err)
	}
}
