package dns

import (
	"fmt"
	"net"
	"strings"
	"testing"

	miekg "github.com/miekg/dns"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/dnstest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

func TestContract(t *testing.T) {
	strategytest.Run(t, strategytest.Subject{Kind: Kind, Setup: func(tb testing.TB) *strategytest.Source {
		return hostsSource(dnstest.InMemory(tb))
	}})
}

// hostsSource has the peers at two names of addresses.
func hostsSource(s *dnstest.Server) *strategytest.Source {
	return &strategytest.Source{
		Env:    strategy.Env{Dial: s.Dial},
		Config: "names: [peers.test, more.test]\nport: 7946\nservers: ['" + s.Addr() + "']",
		Answer: func(all []peer.Peer) {
			s.ClearFaults()
			s.Records(hostRecords(all)...)
		},
		Empty: func() { s.ClearFaults(); s.Records() },
		Partial: func(some []peer.Peer, _ error) {
			s.Records(hostRecords(some)...)
			s.Fault("more.test", "AAAA", dnstest.Code(miekg.RcodeServerFailure))
		},
		Break:   func(error) { s.Fault("", "", dnstest.Code(miekg.RcodeRefused)) },
		Hang:    func() { s.Fault("", "", dnstest.Hang) },
		Garbage: func() { s.Fault("", "", dnstest.Bytes([]byte("\x00\x00 this is no DNS message at all"))) },
	}
}

func hostRecords(all []peer.Peer) []string {
	var records []string
	for i, p := range all {
		host, _, _ := net.SplitHostPort(p.Addr)
		name := []string{"peers.test.", "more.test."}[i%2]
		records = append(records, name+" 30 IN A "+host)
	}
	return records
}

func TestContractOfKubernetes(t *testing.T) {
	strategytest.Run(t, strategytest.Subject{Kind: KubernetesKind, Setup: func(tb testing.TB) *strategytest.Source {
		return serviceSource(dnstest.InMemory(tb))
	}})
}

// serviceSource has the peers as pods of a Service.
func serviceSource(s *dnstest.Server) *strategytest.Source {
	return &strategytest.Source{
		Env:    strategy.Env{Dial: s.Dial},
		Config: "{service: orders, namespace: shop, port_name: gossip, servers: ['" + s.Addr() + "']}",
		Answer: func(all []peer.Peer) {
			s.ClearFaults()
			s.Records(podRecords(all)...)
		},
		Empty: func() { s.ClearFaults(); s.Records() },
		Partial: func(some []peer.Peer, _ error) {
			s.Records(append(podRecords(some), srvRecord("orders-9", "7946"))...)
			s.Fault("orders-9.orders.shop.svc.cluster.local", "", dnstest.Code(miekg.RcodeServerFailure))
		},
		Break: func(error) { s.Fault("", "", dnstest.Code(miekg.RcodeServerFailure)) },
		Hang:  func() { s.Fault("", "", dnstest.Drop) },
		Garbage: func() {
			s.Fault("", "", dnstest.Changed(func(m *miekg.Msg) {
				for _, rr := range m.Answer {
					if srv, ok := rr.(*miekg.SRV); ok {
						srv.Port = 0
					}
				}
			}))
		},
	}
}

func podRecords(all []peer.Peer) []string {
	var records []string
	for _, p := range all {
		host, port, _ := net.SplitHostPort(p.Addr)
		pod := "orders-" + host[strings.LastIndex(host, ".")+1:]
		records = append(records, srvRecord(pod, port), fmt.Sprintf("%s.orders.shop.svc.cluster.local. 5 IN A %s", pod, host))
	}
	return records
}

func srvRecord(pod, port string) string {
	return fmt.Sprintf("_gossip._tcp.orders.shop.svc.cluster.local. 5 IN SRV 0 33 %s %s.orders.shop.svc.cluster.local.", port, pod)
}
