//go:build unix

package kubernetes

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/strategy/internal/kubernetestest"
)

// cpu is the time that this process has computed.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestAtRestTheServerIsAskedLessThanOnceAMinute(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		most   float64 // requests in a minute; libcluster asks 12 times
	}{"watch": {"", 1}, "poll": {"watch: false", 8}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(l *testBed) {
				const endpoints, rest = 1000, time.Hour
				for s := range endpoints / 100 {
					var all []kubernetestest.Object
					for i := range 100 {
						all = append(all, kubernetestest.Endpoint(fmt.Sprintf("orders-%d", 100*s+i), fmt.Sprintf("10.0.%d.%d", s, i)))
					}
					l.Put(kubernetestest.Slices, "shop", fmt.Sprint("s", s), kubernetestest.Slice("orders", 7946, all...))
				}
				l.run(c.config)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				calls := l.Calls()
				if n := len(calls[len(calls)-1].Peers); n != endpoints {
					t.Fatalf("%d peers, want %d", n, endpoints)
				}
				before, used := len(l.Requests()), cpu(t)
				time.Sleep(rest)
				synctest.Wait()
				perMinute := float64(len(l.Requests())-before) / rest.Minutes()
				used = cpu(t) - used
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				t.Logf("%d endpoints at rest: %.2f requests a minute; %v of CPU in an hour, server included; %d MB of heap, server included",
					endpoints, perMinute, used.Round(time.Millisecond), m.HeapAlloc>>20)
				if perMinute >= c.most {
					t.Errorf("%.2f requests a minute, want less than %v", perMinute, c.most)
				}
			})
		})
	}
}
