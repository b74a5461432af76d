package static_test

import (
	"net/netip"
	"testing"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/static"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func TestContract(t *testing.T) {
	strategytest.Run(t, strategytest.Subject{Kind: static.Kind, Setup: source})
}

// source resolves two names, of which the second one knows no new peer.
func source(testing.TB) *strategytest.Source {
	const one, other = "peers.test", "others.test"
	r := new(strategytest.Resolver)
	answer := func(peers []peer.Peer) {
		var ips []netip.Addr
		for _, p := range peers {
			ips = append(ips, netip.MustParseAddrPort(p.Addr).Addr())
		}
		r.Answer(one, ips...)
		r.Answer(other, ips...)
	}
	both := func(f func(host string)) func() { return func() { f(one); f(other) } }
	return &strategytest.Source{
		Config:  "hosts: [peers.test:7946, others.test:7946]",
		Env:     strategy.Env{Resolver: r},
		Answer:  answer,
		Partial: func(some []peer.Peer, _ error) { answer(some); r.ServFail(other) },
		Break:   func(error) { r.ServFail(one); r.NotFound(other) },
		Hang:    both(r.Hang),
		Garbage: both(func(host string) { r.Answer(host, netip.Addr{}) }),
		Panic:   both(r.Panic),
	}
}
