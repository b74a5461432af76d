package dns

import (
	"slices"
	"strings"
	"testing"

	miekg "github.com/miekg/dns"

	"github.com/goconvoke/convoke/strategy/internal/dnstest"
)

// A server may leave addresses out of the additional section where a message is full, and does not report it.
func TestAddressesThatDidNotComeWithATargetAreAskedFor(t *testing.T) {
	both := []string{
		"_g._tcp.test. 5 SRV 0 0 1 a.test.", "_g._tcp.test. 5 SRV 0 0 1 b.test.",
		"a.test. 5 A 10.0.0.1", "a.test. 5 AAAA fd00::1", "b.test. 5 A 10.0.0.2", "b.test. 5 AAAA fd00::2",
	}
	four := []string{both[0], both[1], both[2], both[4]}
	for name, tc := range map[string]struct {
		records []string
		left    string // out: "name type", type * for all
		family  Family
		prefer6 bool
		want    string
		asked   int // questions besides that for SRV records
	}{
		"nothing is left out":                   {both, "", SameFamily, false, "10.0.0.1:1 10.0.0.2:1", 0},
		"the other family of one is":            {both, "b.test. AAAA", AnyFamily, false, "10.0.0.1:1 10.0.0.2:1", 0},
		"the preferred one of one is":           {both, "b.test. A", SameFamily, false, "10.0.0.1:1 10.0.0.2:1", 2},
		"the preferred one of one is, any":      {both, "b.test. A", AnyFamily, false, "10.0.0.1:1 10.0.0.2:1", 2},
		"the preferred one of one is, IPv6":     {both, "b.test. AAAA", SameFamily, true, "[fd00::1]:1 [fd00::2]:1", 2},
		"the preferred one is not there at all": {four, "", SameFamily, true, "10.0.0.1:1 10.0.0.2:1", 0},
		"the only family wanted is":             {both, "b.test. AAAA", IPv6, false, "[fd00::1]:1 [fd00::2]:1", 1},
		"the only family wanted does not exist": {four, "", IPv6, false, "", 2},
		"all of one are":                        {both, "b.test. *", IPv4, false, "10.0.0.1:1 10.0.0.2:1", 1},
		"those named by an address have no more": {[]string{"_g._tcp.test. 5 SRV 0 0 1 10-0-0-1.test.", "10-0-0-1.test. 5 A 10.0.0.1",
			"_g._tcp.test. 5 SRV 0 0 1 fd00--1.test.", "fd00--1.test. 5 AAAA fd00::1"}, "", IPv6, true, "[fd00::1]:1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				s.Records(tc.records...)
				s.Fault("", "SRV", dnstest.Changed(func(m *miekg.Msg) {
					target, typ, _ := strings.Cut(tc.left, " ")
					m.Extra = slices.DeleteFunc(m.Extra, func(rr miekg.RR) bool {
						return rr.Header().Name == target && (typ == "*" || rr.Header().Rrtype == miekg.StringToType[typ])
					})
				}))
				l := lookupRun{client: newClient([]string{s.Addr()}, s.Dial), family: tc.family, prefer6: tc.prefer6}
				got := askWith(t, l, "_g._tcp.test.")
				check(t, got, tc.want, "")
				if n := len(s.Asked()) - 1; n != tc.asked {
					t.Errorf("%d questions for addresses, want %d: %q", n, tc.asked, s.Asked())
				}
				for _, p := range got.peers {
					if dashed := strings.Contains(name, "by an address"); (p.ID == "") != dashed {
						t.Errorf("peer %+v: is the ID missing?", p)
					}
				}
			})
		})
	}
}

func TestOneRecordTwiceIsOneAddress(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records("_g._tcp.test. 5 SRV 0 0 1 a.test.", "a.test. 5 A 10.0.0.1", "a.test. 5 A 10.0.0.1")
		got := ask(t, s, "_g._tcp.test.")
		if check(t, got, "10.0.0.1:1", ""); len(got.peers) == 1 && got.peers[0].ID != "a.test" {
			t.Errorf("peer %+v, want the ID a.test", got.peers[0])
		}
	})
}
