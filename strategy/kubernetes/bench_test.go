package kubernetes

import (
	"encoding/json"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/kubernetestest"
)

// BenchmarkSlicesToPeers is the whole way from decoded JSON to the answer, after a list; "one changed" is it
// after one event of a watch.
func BenchmarkSlicesToPeers(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		list := slicesOf(b, n)
		c := DefaultConfig()
		c.Service = "orders"
		f := &resolver{config: c,
			env: strategy.Env{Log: quietLog, Self: func() []peer.Peer { return nil }}}
		s := newStore(c, func(bool) {})
		answer := func() {
			candidates, err := s.allCandidates()
			peers, bad := f.buildAnswer(candidates, true)
			if err != nil || bad != nil || len(peers) != n {
				b.Fatalf("%d peers (%v, %v), want %d", len(peers), err, bad, n)
			}
		}
		b.Run(fmt.Sprintf("%d endpoints listed", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Replace(list, "1"); err != nil {
					b.Fatal(err)
				}
				answer()
			}
		})
		b.Run(fmt.Sprintf("%d endpoints, one slice changed", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Update(list[0]); err != nil {
					b.Fatal(err)
				}
				answer()
			}
		})
	}
}

// slicesOf returns slices of 100 endpoints each.
func slicesOf(b *testing.B, n int) []any {
	b.Helper()
	var list []any
	for first := 0; first < n; first += 100 {
		var all []kubernetestest.Object
		for i := first; i < first+100; i++ {
			all = append(all, kubernetestest.Endpoint(fmt.Sprintf("orders-%d", i), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
		}
		slice := kubernetestest.Slice("orders", 7946, all...)
		slice["kind"], slice["apiVersion"] = "EndpointSlice", "discovery.k8s.io/v1"
		raw, err := json.Marshal(slice)
		if err != nil {
			b.Fatal(err)
		}
		u := new(unstructured.Unstructured)
		if err := u.UnmarshalJSON(raw); err != nil {
			b.Fatal(err)
		}
		u.SetName(fmt.Sprintf("orders-%d", first))
		u.SetNamespace("shop")
		list = append(list, u)
	}
	return list
}
