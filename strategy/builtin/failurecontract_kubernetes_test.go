package builtin_test

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/strategy/internal/kubernetestest"
)

// touched is how often an object changes without a change of its endpoints. Each time the strategy answers again, so that
// answers stretch over the time they are watched for; between two there is time to change the state.
const touched = 1300 * time.Millisecond

// kubernetesTestSource has an API server on the loopback interface. The first node is in one namespace, the second in
// another.
func kubernetesTestSource(tb testing.TB) testSource {
	const shop, quay = "shop", "quay"
	s := kubernetestest.New(tb, nil)
	put := slicesOf(tb, s)
	nodes := func(inShop, inQuay string) {
		s.Fault(nil)
		s.Deny()
		put(shop, inShop)
		put(quay, inQuay)
	}
	return testSource{
		config: fmt.Sprintf("{service: orders, namespaces: [%s, %s], timeout: 500ms, api: '%s', service_account: '%s'}",
			shop, quay, s.URL(), s.ServiceAccount(shop)),
		states: map[string]func(){
			complete: func() { nodes(first, second) },
			nothing:  func() { nodes("", "") },
			part:     func() { nodes(first, second); s.Deny(quay); s.CutWatches() },
			broken: func() {
				s.Fault(func(w http.ResponseWriter, _ *http.Request) {
					kubernetestest.Refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "asked to be broken")
				})
				s.CutWatches()
			},
			hang: func() {
				s.Fault(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
				s.CutWatches()
			},
			garbage: func() {
				nodes(first, second)
				bad := kubernetestest.Slice("orders", 1)
				bad["endpoints"] = "many"
				s.Put(kubernetestest.Slices, shop, "bad", bad)
			},
		},
	}
}

// slicesOf returns a function that makes a node the only endpoint in a namespace; "" stands for none. What it
// put last is put again and again until the test ends.
func slicesOf(tb testing.TB, s *kubernetestest.Server) (put func(namespace, addr string)) {
	var mu sync.Mutex
	last := make(map[string]kubernetestest.Object)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(touched)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			mu.Lock()
			for ns, slice := range last {
				s.Put(kubernetestest.Slices, ns, "orders", slice)
			}
			mu.Unlock()
		}
	}()
	tb.Cleanup(func() { close(stop); <-done })
	return func(namespace, addr string) {
		slice := kubernetestest.Slice("orders", 1)
		if addr != "" {
			host, port, err := net.SplitHostPort(addr)
			must(tb, err)
			number, err := strconv.Atoi(port)
			must(tb, err)
			slice = kubernetestest.Slice("orders", number, kubernetestest.Endpoint("orders-in-"+namespace, host))
		}
		mu.Lock()
		defer mu.Unlock()
		last[namespace] = slice
		s.Put(kubernetestest.Slices, namespace, "orders", slice)
	}
}
