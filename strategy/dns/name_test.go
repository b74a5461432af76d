package dns

import (
	"slices"
	"strings"
	"testing"

	miekg "github.com/miekg/dns"

	"github.com/goconvoke/convoke/strategy/internal/dnstest"
)

func TestParseName(t *testing.T) {
	for _, tc := range []struct {
		entry string
		port  int
		want  subject // the zero one: an error
		err   string
	}{
		{"peers.test", 1, subject{addresses, "peers.test", 1, false}, ""},
		{"Peers.TEST.", 1, subject{addresses, "peers.test.", 1, false}, ""},
		{"peers.test:7", 1, subject{addresses, "peers.test", 7, false}, ""},
		{"dns+peers.test:7", 0, subject{addresses, "peers.test", 7, false}, ""},
		{"dns+_odd.test", 7, subject{addresses, "_odd.test", 7, false}, ""},
		{"_g._tcp.test", 0, subject{services, "_g._tcp.test", 0, false}, ""},
		{"_g._tcp.test", 9, subject{services, "_g._tcp.test", 0, false}, ""},
		{"_g._tcp.test.:8", 9, subject{services, "_g._tcp.test.", 8, false}, ""},
		{"dnssrv+g.test", 0, subject{services, "g.test", 0, false}, ""},
		{"dnssrvnoa+_g._tcp.test", 0, subject{serviceTargets, "_g._tcp.test", 0, false}, ""},
		{"peers.test", 0, subject{}, "write peers.test:7946, or set port"},
		{"dns+peers.test", 0, subject{}, "has no port"},
		{"peers.test:0", 1, subject{}, `port "0" is not a number`},
		{"peers.test:70000", 1, subject{}, "70000"},
		{"peers.test:http", 1, subject{}, "http"},
		{"dnssec+peers.test", 1, subject{}, "dns+, dnssrv+ and dnssrvnoa+"},
		{"10.0.0.1", 1, subject{}, "strategy static"},
		{"10.0.0.1:1", 1, subject{}, "strategy static"},
		{"fd00::1", 1, subject{}, "strategy static"},
		{"[fd00::1]:1", 1, subject{}, "holds"},
		{"", 1, subject{}, "empty"},
		{".", 1, subject{}, "empty"},
		{"a..b", 1, subject{}, "between its dots"},
		{"a b", 1, subject{}, "holds ' '"},
		{"a\x00", 1, subject{}, "holds"},
		{"ä.test", 1, subject{}, "holds"},
		{strings.Repeat("a", 64) + ".test", 1, subject{}, "longer than 63"},
		{strings.Repeat("a.", 127), 1, subject{addresses, strings.Repeat("a.", 127), 1, false}, ""},
		{strings.Repeat("a.", 127) + "a", 1, subject{}, "longer than 253"},
	} {
		got, err := parseName(tc.entry, tc.port)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("parseName(%q, %d) = %v, want %q in the error", tc.entry, tc.port, err, tc.err)
			}
			continue
		}
		if err != nil || got != tc.want {
			t.Errorf("parseName(%q, %d) = %+v, %v, want %+v", tc.entry, tc.port, got, err, tc.want)
		}
	}
}

func TestCandidatesFollowSearchNamesAndNdots(t *testing.T) {
	search := []string{"shop.svc.cluster.local", "svc.cluster.local"}
	for _, tc := range []struct {
		name  string
		ndots int
		want  string
	}{
		{"orders.", 5, "orders."},
		{"orders", 5, "orders.shop.svc.cluster.local. orders.svc.cluster.local. orders."},
		{"orders.shop", 5, "orders.shop.shop.svc.cluster.local. orders.shop.svc.cluster.local. orders.shop."},
		{"orders.shop", 1, "orders.shop. orders.shop.shop.svc.cluster.local. orders.shop.svc.cluster.local."},
		{"orders", 0, "orders. orders.shop.svc.cluster.local. orders.svc.cluster.local."},
		{"a.b.c.d.e.f", 5, "a.b.c.d.e.f. a.b.c.d.e.f.shop.svc.cluster.local. a.b.c.d.e.f.svc.cluster.local."},
		{strings.Repeat("a.", 120) + "a", 500, strings.Repeat("a.", 120) + "a."}, // too long with anything behind it
	} {
		if got := strings.Join((subject{name: tc.name}).candidateNames(search, tc.ndots), " "); got != tc.want {
			t.Errorf("candidates of %q with ndots %d = %q, want %q", tc.name, tc.ndots, got, tc.want)
		}
	}
	if got := (subject{name: "orders"}).candidateNames(nil, 1); !slices.Equal(got, []string{"orders."}) {
		t.Errorf("candidates without search names = %q", got)
	}
}

func TestSearchNamesAreTriedUntilOneHasRecords(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		l := lookupRun{client: newClient([]string{s.Addr()}, s.Dial), family: IPv4, setup: resolverSetup{search: []string{"a.test", "b.test"}, ndots: 2}}
		s.Records("peers.b.test. 5 A 10.0.0.1", "peers.a.test. 5 TXT x")
		check(t, askWith(t, l, "peers"), "10.0.0.1:7946", "")
		if want := "udp peers.a.test. A,udp peers.b.test. A"; strings.Join(s.Asked(), ",") != want {
			t.Errorf("asked %q, want %q", s.Asked(), want)
		}
		check(t, askWith(t, l, "other"), "", "") // no candidate exists: there is no peer

		s.Fault("peers.a.test", "", dnstest.Code(miekg.RcodeServerFailure))
		check(t, askWith(t, l, "peers"), "10.0.0.1:7946", "peers.a.test. A") // it may have been the right one
		s.Fault("peers.a.test", "", dnstest.Drop)
		s.Records()
		check(t, askWith(t, l, "peers"), "", "peers.a.test. A")
	})
}
