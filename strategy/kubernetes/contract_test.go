package kubernetes

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/internal/kubernetestest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func TestContractOfWatch(t *testing.T) { testContract(t, "") }

func TestContractOfPoll(t *testing.T) { testContract(t, "watch: false\n") }

func testContract(t *testing.T, more string) {
	strategytest.Run(t, strategytest.Subject{
		Kind: Kind,
		Setup: func(tb testing.TB) *strategytest.Source {
			pipe := strategytest.Listen("127.0.0.1:6443")
			src := scripted(tb, kubernetestest.New(tb, pipe), more)
			src.Env.Dial = pipe.Dial
			return src
		},
	})
}

// scripted makes a source of a server.
func scripted(tb testing.TB, s *kubernetestest.Server, more string) *strategytest.Source {
	const shop, quay = "shop", "quay"
	put := func(ns string, peers []peer.Peer) {
		s.Put(kubernetestest.Slices, ns, "orders-1", sliceOf(tb, peers))
	}
	answer := func(peers []peer.Peer) {
		s.Fault(nil)
		s.Deny()
		s.DeleteAll()
		put(shop, peers)
	}
	return &strategytest.Source{
		Config: fmt.Sprintf("service: orders\nnamespaces: [%s, %s]\napi: %s\nservice_account: %s\n%s",
			shop, quay, s.URL(), s.ServiceAccount(shop), more),
		Answer: answer,
		Empty:  func() { answer(nil) },
		Partial: func(some []peer.Peer, _ error) {
			answer(some)
			s.Deny(quay)
			s.CutWatches()
		},
		Break: func(error) {
			s.Fault(func(w http.ResponseWriter, _ *http.Request) {
				kubernetestest.Refuse(w, http.StatusInternalServerError, "InternalError", "asked to be broken")
			})
			s.CutWatches()
		},
		Hang: func() {
			s.Fault(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			s.CutWatches()
		},
		Garbage: func() {
			s.Fault(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"kind": "EndpointSliceList", "items": [{"end`))
			})
			s.CutWatches()
		},
	}
}

func sliceOf(tb testing.TB, peers []peer.Peer) kubernetestest.Object {
	tb.Helper()
	port := 7946
	var endpoints []kubernetestest.Object
	for i, p := range peers {
		host, number, err := net.SplitHostPort(p.Addr)
		if err != nil {
			tb.Fatal(err)
		}
		port, _ = strconv.Atoi(number)
		endpoints = append(endpoints, kubernetestest.Endpoint(fmt.Sprintf("orders-%d-%s", i, host), host))
	}
	return kubernetestest.Slice("orders", port, endpoints...)
}
