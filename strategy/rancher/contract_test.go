package rancher

import (
	"net"
	"net/http"
	"testing"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/internal/ranchertest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func TestContractOfTheOwnService(t *testing.T) { testContract(t, "") }

func TestContractOfANamedServiceWithoutWaiting(t *testing.T) {
	testContract(t, "stack: Shop\nservice: Cart\nwait: 0s\n")
}

func testContract(t *testing.T, more string) {
	strategytest.Run(t, strategytest.Subject{
		Kind: Kind,
		Setup: func(tb testing.TB) *strategytest.Source {
			pipe := strategytest.Listen("rancher-metadata")
			s := ranchertest.New(tb, pipe)
			src := scripted(tb, s)
			src.Config += more
			src.Env.Dial = pipe.Dial
			if more == "" {
				src.Empty = nil // who asks is a container of the service
			}
			return src
		},
	})
}

// scripted makes a source of a server.
func scripted(tb testing.TB, s *ranchertest.Server) *strategytest.Source {
	answer := func(peers []peer.Peer, more ...any) {
		s.Fault(nil)
		if len(peers) > 0 {
			s.Client(host(tb, peers[0]))
		}
		s.Put("Shop", "Cart", append(containersOf(tb, peers), more...)...)
	}
	return &strategytest.Source{
		Config:  "port: 7946\nurl: " + s.URL() + "\n",
		Answer:  func(peers []peer.Peer) { answer(peers, ranchertest.Container("not-started", "")) },
		Empty:   func() { answer(nil) },
		Partial: func(some []peer.Peer, _ error) { answer(some, ranchertest.Object{"ips": "all of them"}) },
		Break: func(error) {
			s.Fault(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "asked to be broken", http.StatusBadGateway)
			})
		},
		Hang: func() { s.Fault(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) },
		Garbage: func() {
			s.Fault(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"name": "cart", "containers": [{`))
			})
		},
	}
}

func containersOf(tb testing.TB, peers []peer.Peer) []any {
	tb.Helper()
	var all []any
	for _, p := range peers {
		all = append(all, ranchertest.Container("Shop-Cart-"+p.Addr, host(tb, p)))
	}
	return all
}

func host(tb testing.TB, p peer.Peer) string {
	tb.Helper()
	h, _, err := net.SplitHostPort(p.Addr)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}
