package builtin_test

import (
	"fmt"
	"net"
	"testing"

	miekg "github.com/miekg/dns"

	"github.com/goconvoke/convoke/strategy/internal/dnstest"
)

// dnsTestSource has a DNS server on the loopback interface and each node at a name of its own.
func dnsTestSource(tb testing.TB) testSource {
	s := dnstest.Listen(tb)
	records := func() {
		s.ClearFaults()
		s.Records(addressRecord("one.test.", first), addressRecord("two.test.", second))
	}
	return dnsStates(s, fmt.Sprintf("{names: [one.test, two.test], port: 1, servers: ['%s'], timeout: 500ms}", s.Addr()), records, map[string]func(){
		part: func() { records(); s.Fault("two.test", "", dnstest.Code(miekg.RcodeServerFailure)) },
		garbage: func() {
			records()
			s.Fault("two.test", "A", dnstest.Changed(func(m *miekg.Msg) {
				m.Answer = append(m.Answer, &miekg.A{Hdr: *m.Answer[0].Header(), A: net.IPv4zero})
			}))
		},
	})
}

// kubernetesDNSTestSource has a DNS server on the loopback interface and each node in a pod of a Service.
func kubernetesDNSTestSource(tb testing.TB) testSource {
	const service, target = "_gossip._tcp.orders.shop.svc.cluster.local.", "orders-%d.orders.shop.svc.cluster.local."
	s := dnstest.Listen(tb)
	records := func() {
		s.ClearFaults()
		var all []string
		for i, addr := range []string{first, second} {
			pod := fmt.Sprintf(target, i)
			all = append(all, service+" 5 IN SRV 0 50 1 "+pod, addressRecord(pod, addr))
		}
		s.Records(all...)
	}
	return dnsStates(s, fmt.Sprintf("{service: orders, namespace: shop, port_name: gossip, servers: ['%s'], timeout: 500ms}", s.Addr()), records, map[string]func(){
		part: func() {
			records()
			s.Fault(service, "", dnstest.Changed(func(m *miekg.Msg) { m.Extra = m.Extra[:2] })) // OPT and the glue of the first
			s.Fault(fmt.Sprintf(target, 1), "", dnstest.Code(miekg.RcodeServerFailure))
		},
		garbage: func() {
			records()
			s.Fault(service, "", dnstest.Changed(func(m *miekg.Msg) {
				bad, _ := m.Answer[0].(*miekg.SRV)
				m.Answer = append(m.Answer, &miekg.SRV{Hdr: bad.Hdr, Target: bad.Target}) // at port 0
			}))
		},
	})
}

// dnsStates returns a source with the states that all names have, and those given.
func dnsStates(s *dnstest.Server, config string, records func(), states map[string]func()) testSource {
	states[complete] = records
	states[nothing] = func() { s.ClearFaults(); s.Records() }
	states[broken] = func() { s.Fault("", "", dnstest.Code(miekg.RcodeRefused)) }
	states[hang] = func() { s.Fault("", "", dnstest.Drop) }
	return testSource{config: config, states: states}
}

// addressRecord returns the record that a name has the host of an address.
func addressRecord(name, addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	return name + " 5 IN A " + host
}
