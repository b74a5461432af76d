package dns

import (
	"fmt"
	"strings"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/goconvoke/convoke/strategy/internal/dnstest"
)

// One message holds about a thousand SRV records of one target at ports of their own, and as many addresses of it: taken
// at its word that is a million peers.
func TestRecordsTimesAddressesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		var records []string
		for i := range 1000 {
			records = append(records, fmt.Sprintf("_g._tcp.test. 5 SRV 0 0 %d t.test.", i+1),
				fmt.Sprintf("t.test. 5 A 10.0.%d.%d", i/250, i%250+1))
		}
		s.Records(records...)
		got := ask(t, s, "_g._tcp.test.")
		if len(got.peers) != maxPeers || got.err == nil || !strings.Contains(got.err.Error(), "_g._tcp.test. names more than 10000 peers") {
			t.Errorf("%d peers and error %v, want %d and that there are more", len(got.peers), got.err, maxPeers)
		}
	})
}

// The target that names itself by an address must not make one that it does not have.
func TestATargetThatIsNamedLikeAnAddressIsAskedForItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records("_g._tcp.test. 5 SRV 0 0 1 10-0-0-1.test.", "10-0-0-1.test. 5 A 10.0.0.2")
		got := ask(t, s, "_g._tcp.test.")
		check(t, got, "10.0.0.2:1", "")
		if len(got.peers) == 1 && got.peers[0].ID != "" {
			t.Errorf("peer %+v, want no ID: the name is an address", got.peers[0])
		}
	})
}

// Additional records of names that were not asked for are not addresses of peers.
func TestGlueOfStrangersIsLeftOut(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records("_g._tcp.test. 5 SRV 0 0 1 a.test.", "a.test. 5 A 10.0.0.1")
		s.Fault("", "SRV", dnstest.Changed(func(m *miekg.Msg) {
			rr, err := miekg.NewRR("bank.test. 5 A 10.6.6.6")
			if err != nil {
				t.Error(err)
			}
			m.Extra = append(m.Extra, rr)
			m.Answer = append(m.Answer, rr)
		}))
		check(t, ask(t, s, "_g._tcp.test."), "10.0.0.1:1", "")
	})
}

// A TTL is 32 bits of the server's choice; of those above 2^31 RFC 2181 makes 0.
func TestAnyTTLLeavesAnInterval(t *testing.T) {
	for ttl, most := range map[uint32]time.Duration{0: 0, 1: time.Second, 1<<31 - 1: 1 << 31 * time.Second, 1<<32 - 1: 1 << 31 * time.Second} {
		bubble(t, func(t *testing.T, s *dnstest.Server) {
			s.Fault("", "", dnstest.Changed(func(m *miekg.Msg) {
				for _, rr := range m.Answer {
					rr.Header().Ttl = ttl
				}
			}))
			got := ask(t, s, "peers.test.")
			if check(t, got, allPeers, ""); got.ttl < 0 || got.ttl > most {
				t.Errorf("TTL %d lasts %v, want at most %v and not below 0", ttl, got.ttl, most)
			}
		})
	}
}
