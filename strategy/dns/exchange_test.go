package dns

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/goconvoke/convoke/strategy/internal/dnstest"
)

const silentServer = "192.0.2.99:53" // a server that never answers

func TestAServerThatDoesNotAnswerIsFollowedByTheNext(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		began := time.Now()
		l := lookupRun{client: newClient([]string{silentServer, s.Addr()}, s.Dial), family: AnyFamily}
		check(t, askWith(t, l, "peers.test."), allPeers, "")
		if took := time.Since(began); took != tryTimeout {
			t.Errorf("took %v, want the %v of one try", took, tryTimeout)
		}
	})
}

func TestAServerThatRefusesIsFollowedByTheNextAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		other := dnstest.InMemory(t)
		other.Fault("", "", dnstest.Code(miekg.RcodeRefused))
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "other:53" {
				return other.Dial(ctx, network, other.Addr())
			}
			return s.Dial(ctx, network, addr)
		}
		began := time.Now()
		l := lookupRun{client: newClient([]string{"other:53", s.Addr()}, dial), family: AnyFamily}
		check(t, askWith(t, l, "peers.test."), allPeers, "")
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v, want no waiting", took)
		}
	})
}

func TestASilentServerIsWaitedForOnceInALookup(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records("_g._tcp.b.test. 5 SRV 0 0 1 n.test.", "n.test. 5 CNAME m.test.", "m.test. 5 A 10.0.0.1")
		s.Fault("", "SRV", dnstest.NoGlue)
		s.Fault("n.test.", "", dnstest.Changed(func(m *miekg.Msg) { m.Answer, m.Ns = m.Answer[:1], nil })) // the alias alone
		began := time.Now()
		l := lookupRun{client: newClient([]string{silentServer, s.Addr()}, s.Dial), family: AnyFamily}
		l.setup = resolverSetup{search: []string{"a.test", "b.test"}, ndots: 5}
		check(t, askWith(t, l, "_g._tcp"), "10.0.0.1:1", "")
		if took := time.Since(began); took != tryTimeout {
			t.Errorf("four questions one after the other took %v, want the %v of one try", took, tryTimeout)
		}
	})
}

func TestATruncatedAnswerIsLeftForAWholeOneOfTheNextServer(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		other := dnstest.InMemory(t)
		other.Records("peers.test. 5 A 10.0.0.1")
		other.Fault("", "", dnstest.Truncated(1, dnstest.Drop))
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "other:53" {
				return other.Dial(ctx, network, other.Addr())
			}
			return s.Dial(ctx, network, addr)
		}
		check(t, askWith(t, lookupRun{client: newClient([]string{"other:53", s.Addr()}, dial), family: AnyFamily}, "peers.test."), allPeers, "")
		check(t, askWith(t, lookupRun{client: newClient([]string{"other:53", silentServer}, dial), family: IPv4}, "peers.test."), "10.0.0.1:7946", silentServer)
	})
}

func TestALookupWithoutAnAnswerNamesEveryServerAndEndsAtItsDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Fault("", "", dnstest.Code(miekg.RcodeServerFailure))
		began := time.Now()
		l := lookupRun{client: newClient([]string{silentServer, s.Addr()}, s.Dial), family: IPv4}
		check(t, askWith(t, l, "peers.test."), "", "ask for peers.test. A: 192.0.2.99:53: read pipe: i/o timeout; 192.0.2.53:53: SERVFAIL")
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %v, want 5s", took)
		}
		if n := len(s.Asked()); n != 1 {
			t.Errorf("the server that failed was asked %d times, want once: only silence is asked again", n)
		}
	})
}

func TestASilentServerIsAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		var asked atomic.Int32
		s.Fault("", "A", func(q dnstest.Query) [][]byte {
			if asked.Add(1) == 1 {
				return nil
			}
			return [][]byte{q.Good}
		})
		check(t, ask(t, s, "peers.test."), allPeers, "")
	})
}

func TestBothFamiliesAreAskedForAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Fault("", "", dnstest.Slow(1500*time.Millisecond))
		began := time.Now()
		check(t, ask(t, s, "peers.test."), allPeers, "")
		if took := time.Since(began); took != 1500*time.Millisecond {
			t.Errorf("took %v, want 1.5s", took)
		}
	})
}

func TestAnswersThatAreTooLongForADatagramComeOverTCP(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		var records []string
		for i := range 150 {
			records = append(records, fmt.Sprintf("peers.test. 5 A 10.0.1.%d", i+1))
		}
		s.Records(records...)
		if got := ask(t, s, "peers.test."); len(got.peers) != 150 || got.err != nil {
			t.Errorf("%d peers and error %v, want 150", len(got.peers), got.err)
		}
		asked := s.Asked()
		slices.Sort(asked)
		if want := "tcp peers.test. A,udp peers.test. A,udp peers.test. AAAA"; strings.Join(asked, ",") != want {
			t.Errorf("asked %q, want %q", asked, want)
		}
		s.Records(records[:60]...) // 60 fit into 1232 bytes and not into 512
		before := len(s.Asked())
		if got := ask(t, s, "peers.test."); len(got.peers) != 60 || got.err != nil {
			t.Errorf("%d peers and error %v, want 60", len(got.peers), got.err)
		}
		if n := len(s.Asked()) - before; n != 2 {
			t.Errorf("%d questions for an answer of 60 records, want 2: a datagram carries 1232 bytes", n)
		}
	})
}

func TestAServerOfBeforeEDNSIsAskedWithoutIt(t *testing.T) {
	for _, rcode := range []int{miekg.RcodeFormatError, miekg.RcodeNotImplemented} {
		t.Run(miekg.RcodeToString[rcode], func(t *testing.T) {
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				s.Fault("", "", func(q dnstest.Query) [][]byte {
					if q.Msg.IsEdns0() == nil {
						return [][]byte{q.Good}
					}
					return dnstest.Changed(func(m *miekg.Msg) {
						m.Rcode, m.Question, m.Answer, m.Extra = rcode, nil, nil, nil
					})(q)
				})
				check(t, ask(t, s, "peers.test."), allPeers, "")
			})
		})
	}
}

func TestALookupEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Fault("", "", dnstest.Hang)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		began := time.Now()
		l := lookupRun{client: newClient([]string{s.Addr()}, s.Dial), family: AnyFamily}
		got := l.askAll(ctx, []subject{{name: "peers.test.", port: 1}, {kind: services, name: "_g._tcp.test."}})
		if took := time.Since(began); took != 300*time.Millisecond || got.err == nil {
			t.Errorf("took %v with error %v, want 300ms and an error", took, got.err)
		}
	})
}

func TestAPanicAmongQuestionsGoesOnInTheCaller(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		defer func() {
			if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "asked to panic") {
				t.Errorf("recovered %v, want the panic", p)
			}
		}()
		dial := func(context.Context, string, string) (net.Conn, error) { panic("asked to panic") }
		askWith(t, lookupRun{client: newClient([]string{s.Addr()}, dial), family: AnyFamily}, "peers.test.")
	})
}

// On real sockets, UDP and TCP.
func TestLoopback(t *testing.T) {
	s := dnstest.Listen(t)
	var records []string
	for i := range 150 {
		records = append(records, fmt.Sprintf("peers.test. 5 A 10.0.1.%d", i+1))
	}
	s.Records(records...)
	l := lookupRun{client: newClient([]string{s.Addr()}, new(net.Dialer).DialContext), family: AnyFamily}
	if got := askWith(t, l, "peers.test."); len(got.peers) != 150 || got.err != nil {
		t.Errorf("%d peers and error %v, want 150", len(got.peers), got.err)
	}
	s.Fault("", "A", forged)
	if got := askWith(t, l, "peers.test."); len(got.peers) != 150 || got.err != nil {
		t.Errorf("with forgeries: %d peers and error %v, want 150", len(got.peers), got.err)
	}
	s.Fault("", "A", dnstest.Truncated(3, dnstest.Drop))
	if got := askWith(t, l, "peers.test."); len(got.peers) != 3 || got.err == nil {
		t.Errorf("with a connection that is cut: %d peers and error %v, want 3 and an error", len(got.peers), got.err)
	}
	s.Fault("", "", dnstest.Hang)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	check(t, l.askAll(ctx, []subject{{name: "peers.test.", port: 1}}), "", "i/o timeout")
}

func TestLoopbackPortThatIsClosed(t *testing.T) {
	free, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	began := time.Now()
	l := lookupRun{client: newClient([]string{free.LocalAddr().String()}, new(net.Dialer).DialContext), family: AnyFamily}
	check(t, askWith(t, l, "peers.test."), "", free.LocalAddr().String())
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("took %v, want no waiting for a port that is closed", took)
	}
}
