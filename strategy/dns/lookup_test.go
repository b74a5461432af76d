package dns

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	miekg "github.com/miekg/dns"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/internal/dnstest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// bubble runs a test with a server in memory, which has two nodes at peers.test, one of them with an IPv6 address too.
func bubble(t *testing.T, test func(t *testing.T, s *dnstest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := dnstest.InMemory(t)
		s.Records("peers.test. 30 A 10.0.0.1", "peers.test. 30 A 10.0.0.2", "peers.test. 30 AAAA fd00::1")
		test(t, s)
	})
}

// ask looks names up once, with the deadline that a lookup has by default.
func ask(t *testing.T, s *dnstest.Server, names ...string) result {
	t.Helper()
	return askWith(t, lookupRun{client: newClient([]string{s.Addr()}, s.Dial), family: AnyFamily}, names...)
}

func askWith(t *testing.T, l lookupRun, names ...string) result {
	t.Helper()
	var subjects []subject
	for _, name := range names {
		subject, err := parseName(name, 7946)
		if err != nil {
			t.Fatal(err)
		}
		subjects = append(subjects, subject)
	}
	ctx, cancel := context.WithTimeout(t.Context(), defaultSource().Timeout)
	defer cancel()
	return l.askAll(ctx, subjects)
}

// all three addresses of peers.test.
const allPeers = "10.0.0.1:7946 10.0.0.2:7946 [fd00::1]:7946"

func addrs(f result) string { return strings.Join(strategytest.Addrs(f.peers), " ") }

// check compares an answer; part of an error "" means that there is none.
func check(t *testing.T, got result, want, errPart string) {
	t.Helper()
	if addrs(got) != want {
		t.Errorf("peers %q, want %q", addrs(got), want)
	}
	switch {
	case errPart == "" && got.err != nil:
		t.Errorf("error %v, want a complete answer", got.err)
	case errPart != "" && (got.err == nil || !strings.Contains(got.err.Error(), errPart)):
		t.Errorf("error %v, want %q in it", got.err, errPart)
	}
}

func TestEveryKindOfAnswerIsDistinguished(t *testing.T) {
	code := func(rcode int) dnstest.Fault { return dnstest.Code(rcode) }
	lame := dnstest.Changed(func(m *miekg.Msg) { m.Answer, m.Ns, m.Authoritative, m.RecursionAvailable = nil, nil, false, false })
	lying := dnstest.Fault(func(q dnstest.Query) [][]byte {
		raw := slices.Clone(q.Good)
		raw[7] += 3
		return [][]byte{raw}
	})
	for name, tc := range map[string]struct {
		typ   string // of the question that meets the fault
		fault dnstest.Fault
		peers string // "" for none
		err   string // "" for a complete answer
	}{
		"answer":                          {"TXT", dnstest.Drop, allPeers, ""},
		"NODATA for one family":           {"AAAA", code(miekg.RcodeSuccess), "10.0.0.1:7946 10.0.0.2:7946", "is not authoritative"},
		"NODATA with its SOA":             {"AAAA", dnstest.Changed(func(m *miekg.Msg) { m.Answer = nil }), "10.0.0.1:7946 10.0.0.2:7946", ""},
		"NXDOMAIN":                        {"", code(miekg.RcodeNameError), "", ""},
		"SERVFAIL":                        {"", code(miekg.RcodeServerFailure), "", "192.0.2.53:53: SERVFAIL"},
		"REFUSED":                         {"", code(miekg.RcodeRefused), "", "192.0.2.53:53: REFUSED"},
		"a code that is unknown":          {"", code(15), "", "response code 15"},
		"silence":                         {"", dnstest.Drop, "", "timeout"},
		"SERVFAIL for one family":         {"AAAA", code(miekg.RcodeServerFailure), "10.0.0.1:7946 10.0.0.2:7946", "peers.test. AAAA: 192.0.2.53:53: SERVFAIL"},
		"REFUSED for one family":          {"A", code(miekg.RcodeRefused), "[fd00::1]:7946", "REFUSED"},
		"silence for one family":          {"AAAA", dnstest.Drop, "10.0.0.1:7946 10.0.0.2:7946", "timeout"},
		"another ID":                      {"", dnstest.WrongID, "", "the ID is another"},
		"another question":                {"", dnstest.WrongQuestion, "", "the question is another"},
		"a query as the answer":           {"", dnstest.Changed(func(m *miekg.Msg) { m.Response = false }), "", "no response"},
		"a few bytes":                     {"", dnstest.Bytes([]byte("\x00\x00hello")), "", "7 bytes"},
		"no bytes":                        {"", dnstest.Bytes(nil), "", "0 bytes"},
		"many bytes":                      {"", dnstest.Bytes(make([]byte, 3000)), "", "no response"},
		"cut within a record":             {"A", dnstest.Cut(40), "[fd00::1]:7946", "malformed"},
		"fewer records than announced":    {"A", lying, "[fd00::1]:7946", "malformed"},
		"a server that asks no other":     {"", lame, "", "is not authoritative for this name"},
		"a bad record among good ones":    {"A", withBad(net.IPv4zero), allPeers, "record"},
		"a multicast address":             {"A", withBad(net.IPv4(224, 0, 0, 1)), allPeers, "no peer can be dialled"},
		"the broadcast address":           {"A", withBad(net.IPv4bcast), allPeers, "no peer can be dialled"},
		"truncated, whole over TCP":       {"A", dnstest.Truncated(1, nil), allPeers, ""},
		"truncated, TCP is refused":       {"", dnstest.Truncated(1, dnstest.Drop), "10.0.0.1:7946 [fd00::1]:7946", "truncated"},
		"truncated, TCP hangs":            {"", dnstest.Truncated(1, dnstest.Hang), "10.0.0.1:7946 [fd00::1]:7946", "truncated"},
		"truncated, TCP answers SERVFAIL": {"", dnstest.Truncated(1, code(miekg.RcodeServerFailure)), "10.0.0.1:7946 [fd00::1]:7946", "SERVFAIL"},
		"truncated to nothing, no TCP":    {"", dnstest.Truncated(0, dnstest.Drop), "", "truncated"},
		"truncated, another ID over TCP":  {"A", dnstest.Truncated(1, dnstest.WrongID), "10.0.0.1:7946 [fd00::1]:7946", "the ID is another"},
		"truncated, garbage over TCP":     {"A", dnstest.Truncated(1, dnstest.Bytes([]byte("\x00\x00x"))), "10.0.0.1:7946 [fd00::1]:7946", "3 bytes"},
		"truncated over TCP too":          {"A", markedTruncated, allPeers, "cut short"},
		"late, but within the time":       {"", dnstest.Slow(1900 * time.Millisecond), allPeers, ""},
		"forgeries and then the answer":   {"", forged, allPeers, ""},
		"records of another name":         {"A", foreign, "[fd00::1]:7946", ""},
		"records in another capitalising": {"A", dnstest.Changed(func(m *miekg.Msg) { capitalise(m) }), allPeers, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				s.Fault("", tc.typ, tc.fault)
				check(t, ask(t, s, "peers.test."), tc.peers, tc.err)
			})
		})
	}
}

func withBad(ip net.IP) dnstest.Fault {
	return dnstest.Changed(func(m *miekg.Msg) {
		m.Answer = append([]miekg.RR{&miekg.A{Hdr: *m.Answer[0].Header(), A: ip}}, m.Answer...)
	})
}

// markedTruncated marks that there is more, over UDP and TCP.
func markedTruncated(q dnstest.Query) [][]byte {
	return dnstest.Changed(func(m *miekg.Msg) { m.Truncated = true })(q)
}

// forged sends what others could have sent before the answer.
func forged(q dnstest.Query) [][]byte {
	if q.Network == "tcp" {
		return [][]byte{q.Good} // a stream has no others
	}
	all := append(dnstest.WrongID(q), dnstest.WrongQuestion(q)...)
	return append(all, []byte("GET / HTTP/1.1"), nil, q.Good)
}

func foreign(q dnstest.Query) [][]byte {
	return dnstest.Changed(func(m *miekg.Msg) {
		for _, rr := range m.Answer {
			rr.Header().Name = "bank.test."
		}
	})(q)
}

func capitalise(m *miekg.Msg) {
	m.Question[0].Name = "PEERS.test."
	for _, rr := range m.Answer {
		rr.Header().Name = "pEErs.Test."
	}
}

func TestSeveralNamesAreOneAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records("a.test. 5 A 10.0.0.1", "b.test. 5 A 10.0.0.2", "b.test. 5 A 10.0.0.1")
		check(t, ask(t, s, "a.test", "b.test", "c.test"), "10.0.0.1:7946 10.0.0.2:7946", "")
		check(t, ask(t, s, "a.test:1", "b.test"), "10.0.0.1:1 10.0.0.1:7946 10.0.0.2:7946", "")
		s.Fault("b.test", "A", dnstest.Drop)
		check(t, ask(t, s, "a.test", "b.test"), "10.0.0.1:7946", "b.test. A")
		s.Fault("a.test", "", dnstest.Code(miekg.RcodeServerFailure))
		check(t, ask(t, s, "a.test", "b.test"), "", "a.test. AAAA")
	})
}

func TestFamilyDecidesWhichAddressesAreTaken(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		v4, v6 := "10.0.0.1:7946 10.0.0.2:7946", "[fd00::1]:7946"
		for _, tc := range []struct {
			family  Family
			prefer6 bool
			want    string
			asked   int
		}{{AnyFamily, false, allPeers, 2}, {SameFamily, false, v4, 2}, {SameFamily, true, v6, 2}, {IPv4, true, v4, 1}, {IPv6, false, v6, 1}} {
			before := len(s.Asked())
			l := lookupRun{client: newClient([]string{s.Addr()}, s.Dial), family: tc.family, prefer6: tc.prefer6}
			check(t, askWith(t, l, "peers.test."), tc.want, "")
			if n := len(s.Asked()) - before; n != tc.asked {
				t.Errorf("%s: %d questions, want %d", tc.family, n, tc.asked)
			}
		}
		s.Records("peers.test. 30 AAAA fd00::1")
		l := lookupRun{client: newClient([]string{s.Addr()}, s.Dial), family: SameFamily}
		check(t, askWith(t, l, "peers.test."), v6, "") // the only one there is
	})
}

func TestAddressesOfIPv4InIPv6AreThoseOfIPv4(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records("peers.test. 5 A 10.0.0.1", "peers.test. 5 AAAA ::ffff:10.0.0.1", "peers.test. 5 AAAA ::ffff:10.0.0.2")
		check(t, ask(t, s, "peers.test"), "10.0.0.1:7946 10.0.0.2:7946", "")
	})
}

func TestAliasesAreFollowed(t *testing.T) {
	long := func(n int) []string {
		records := []string{fmt.Sprintf("n%d.test. 20 A 10.0.0.7", n)}
		for i := range n {
			records = append(records, fmt.Sprintf("n%d.test. 3 CNAME n%d.test.", i, i+1))
		}
		return records
	}
	onlyFirst := dnstest.Changed(func(m *miekg.Msg) {
		if len(m.Answer) > 1 {
			m.Answer, m.Ns = m.Answer[:1], nil
		}
	}) // of a server that does not follow
	for name, tc := range map[string]struct {
		records []string
		fault   dnstest.Fault
		peers   string
		err     string
	}{
		"in one message":                    {long(8), nil, "10.0.0.7:7946", ""},
		"in one message, too many":          {long(9), nil, "", "n0.test. has more than 8 aliases"},
		"message by message":                {long(7), onlyFirst, "10.0.0.7:7946", ""},
		"message by message, too many":      {long(12), onlyFirst, "", "n0.test. has more than 8 aliases"},
		"in a loop":                         {[]string{"n0.test. CNAME n1.test.", "n1.test. CNAME n0.test."}, nil, "", "alias of itself"},
		"in a loop, message by message":     {[]string{"n0.test. CNAME n1.test.", "n1.test. CNAME n0.test."}, onlyFirst, "", "has more than 8 aliases"},
		"to itself":                         {[]string{"n0.test. CNAME n0.test."}, nil, "", "alias of itself"},
		"to a name that does not exist":     {[]string{"n0.test. CNAME n1.test."}, nil, "", ""},
		"to a name without addresses":       {[]string{"n0.test. CNAME n1.test.", "n1.test. TXT x"}, nil, "", ""},
		"to a name of another capitalising": {[]string{"n0.test. CNAME N1.TEST.", "n1.test. A 10.0.0.7"}, nil, "10.0.0.7:7946", ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				s.Records(tc.records...)
				if tc.fault != nil {
					s.Fault("", "", tc.fault)
				}
				got := ask(t, s, "n0.test.")
				check(t, got, tc.peers, tc.err)
				if tc.peers != "" && strings.HasPrefix(name, "in one") && got.ttl != 3*time.Second {
					t.Errorf("ttl = %v, want 3s, the shortest on the way", got.ttl)
				}
			})
		})
	}
}

// A hostile answer is bounded: in the peers taken from it and in the questions that it makes us ask.
func TestAnAnswerCannotMakeUsAskOrTakeWithoutBound(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		var records, names []string
		for i := range 1500 {
			records = append(records, fmt.Sprintf("_g._tcp.test. 5 SRV 0 0 1 t%d.test.", i))
		}
		for n := range 4 {
			names = append(names, fmt.Sprintf("n%d.test.", n))
			for i := range 3000 {
				records = append(records, fmt.Sprintf("n%d.test. 5 A 10.%d.%d.%d", n, n, i/250, i%250+1))
			}
		}
		s.Records(records...)
		before := len(s.Asked())
		check(t, ask(t, s, "_g._tcp.test."), "", "1500 targets came without their addresses, of which 512 are asked for")
		if n := len(s.Asked()) - before; n > 2+2*maxTargets {
			t.Errorf("%d questions, want two for each of %d targets at most", n, maxTargets)
		}
		got := ask(t, s, names...)
		if len(got.peers) != maxPeers || got.err == nil || !strings.Contains(got.err.Error(), "12000 peers") {
			t.Errorf("%d peers and error %v, want %d and how many there are", len(got.peers), got.err, maxPeers)
		}
	})
}

func TestSRVRecordsTellPortsAndNames(t *testing.T) {
	const pod = ".orders.test."
	pods := []string{
		"_g._tcp.orders.test. 30 SRV 10 60 7946 orders-0" + pod, "_g._tcp.orders.test. 30 SRV 20 0 7947 orders-1" + pod,
		"orders-0" + pod + " 5 A 10.0.0.1", "orders-1" + pod + " 5 A 10.0.0.2", "orders-1" + pod + " 5 AAAA fd00::2",
	}
	want := []peer.Peer{
		{Addr: "10.0.0.1:7946", ID: "orders-0.orders.test", Attrs: "priority=10,weight=60"},
		{Addr: "10.0.0.2:7947", ID: "orders-1.orders.test", Attrs: "priority=20,weight=0"}, // one address: it is one node
	}
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records(pods...)
		got := ask(t, s, "_g._tcp.orders.test.")
		if diff := cmp.Diff(want, got.peers); diff != "" || got.err != nil {
			t.Errorf("error %v, peers (-want +got):\n%s", got.err, diff)
		}
		if asked := s.Asked(); len(asked) != 1 {
			t.Errorf("asked %q, want the SRV records alone: the addresses came with them", asked)
		}

		s.Fault("", "SRV", dnstest.NoGlue)
		got = ask(t, s, "dnssrv+_g._tcp.orders.test.")
		if diff := cmp.Diff(want, got.peers); diff != "" || got.err != nil {
			t.Errorf("without glue: error %v, peers (-want +got):\n%s", got.err, diff)
		}
		s.Fault("orders-1"+pod, "A", dnstest.Drop)
		check(t, ask(t, s, "_g._tcp.orders.test."), "10.0.0.1:7946 [fd00::2]:7947", "orders-1.orders.test. A")
		s.Fault("orders-1"+pod, "", dnstest.Code(miekg.RcodeServerFailure))
		check(t, ask(t, s, "_g._tcp.orders.test."), "10.0.0.1:7946", "orders-1.orders.test. A")
		s.Fault("orders-1"+pod, "", dnstest.Code(miekg.RcodeNameError))
		check(t, ask(t, s, "_g._tcp.orders.test."), "10.0.0.1:7946", "target orders-1.orders.test. has no address")
		s.ClearFaults()
		check(t, ask(t, s, "_g._tcp.orders.test:9"), "10.0.0.1:9 10.0.0.2:9", "")

		before := len(s.Asked())
		check(t, ask(t, s, "dnssrvnoa+_g._tcp.orders.test."), "orders-0.orders.test:7946 orders-1.orders.test:7947", "")
		if n := len(s.Asked()) - before; n != 1 {
			t.Errorf("dnssrvnoa+ asked %d questions, want 1", n)
		}
	})
}

func TestIDsOfTargets(t *testing.T) {
	for name, tc := range map[string]struct {
		records []string // of the targets
		srv     []string // priority weight port target
		want    string   // ID@addr
	}{
		"a name":            {[]string{"web-0.test. 5 A 10.0.0.1"}, []string{"0 0 1 web-0.test."}, "web-0.test@10.0.0.1:1"},
		"a dashed IPv4":     {[]string{"10-0-0-1.test. 5 A 10.0.0.1"}, []string{"0 0 1 10-0-0-1.test."}, "10.0.0.1:1"},
		"a dashed IPv6":     {[]string{"fd00--7.test. 5 AAAA fd00::7"}, []string{"0 0 1 fd00--7.test."}, "[fd00::7]:1"},
		"several addresses": {[]string{"web.test. 5 A 10.0.0.1", "web.test. 5 A 10.0.0.2"}, []string{"0 0 1 web.test."}, "10.0.0.1:1 10.0.0.2:1"},
		"several ports":     {[]string{"web.test. 5 A 10.0.0.1"}, []string{"0 0 1 web.test.", "0 0 2 web.test."}, "10.0.0.1:1 10.0.0.1:2"},
		"the same twice":    {[]string{"web.test. 5 A 10.0.0.1"}, []string{"0 0 1 web.test.", "1 0 1 WEB.test."}, "web.test@10.0.0.1:1"},
		"no service":        {nil, []string{"0 0 0 ."}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				records := tc.records
				for _, srv := range tc.srv {
					records = append(records, "_g._tcp.test. 5 SRV "+srv)
				}
				s.Records(records...)
				got := ask(t, s, "_g._tcp.test.")
				var all []string
				for _, p := range got.peers {
					all = append(all, p.String())
				}
				if strings.Join(all, " ") != tc.want || got.err != nil {
					t.Errorf("peers %q, error %v, want %q", all, got.err, tc.want)
				}
			})
		})
	}
}

func TestSRVRecordsThatLeadToNoPeerAreLeftOut(t *testing.T) {
	for name, bad := range map[string]string{
		"port 0":          "0 0 0 a.test.",
		"a target of 1 B": `0 0 1 \000.test.`,
		"a target of @":   `0 0 1 a\@b.test.`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				s.Records("_g._tcp.test. 5 SRV 0 0 1 a.test.", "_g._tcp.test. 5 SRV "+bad, "a.test. 5 A 10.0.0.1")
				check(t, ask(t, s, "_g._tcp.test."), "10.0.0.1:1", "no peer can be dialled")
			})
		})
	}
}
