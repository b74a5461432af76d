package builtin_test

import (
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/goconvoke/convoke/strategy/internal/ranchertest"
)

// rancherTestSource has a metadata server on the loopback interface and each node in a container.
func rancherTestSource(tb testing.TB) testSource {
	s := ranchertest.New(tb, nil)
	nodes := func(more []any, addrs ...string) {
		s.Fault(nil)
		for i, addr := range addrs {
			host, _, err := net.SplitHostPort(addr)
			must(tb, err)
			more = append(more, ranchertest.Container(fmt.Sprintf("shop-cart-%d", i+1), host))
		}
		s.Put("shop", "cart", more...)
	}
	fault := func(f http.HandlerFunc) func() { return func() { s.Fault(f) } }
	return testSource{
		config: fmt.Sprintf("{stack: shop, service: cart, port: 1, timeout: 500ms, url: '%s'}", s.URL()),
		states: map[string]func(){
			complete: func() { nodes([]any{ranchertest.Container("shop-cart-0", "")}, first, second) },
			nothing:  func() { nodes(nil) },
			part:     func() { nodes([]any{ranchertest.Object{"ips": 7}}, first) },
			broken:   fault(ranchertest.NotFound),
			hang:     fault(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
			garbage:  fault(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("null")) }),
		},
	}
}
