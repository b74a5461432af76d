package dns

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/dnstest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// runs runs a configuration in the background until the test ends; the servers are filled in.
func runs(t *testing.T, s *dnstest.Server, change func(*Config)) *strategytest.Sink {
	t.Helper()
	c := DefaultConfig()
	c.Names, c.Port, c.Servers = []string{"peers.test"}, 7946, []string{s.Addr()}
	if change != nil {
		change(&c)
	}
	st := strategytest.New(t, Kind, c, strategy.Env{Dial: s.Dial})
	return start(t, st)
}

func start(t *testing.T, st strategy.Strategy) *strategytest.Sink {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	sink, done := new(strategytest.Sink), make(chan struct{})
	go func() {
		defer close(done)
		_ = st.Run(ctx, sink) // it ends with its context
	}()
	t.Cleanup(func() { cancel(); <-done })
	return sink
}

// after lets time pass and returns what the sink received then, summarised. The first lookup of a run may be over before,
// so that less than the wait for the second, 1.2 s, may show nothing.
func after(sink *strategytest.Sink, d time.Duration) string {
	since := len(sink.Calls())
	time.Sleep(d)
	synctest.Wait()
	return strategytest.Summary(sink.Calls()[since:])
}

// A failure of any sort is no reason to drop a peer: no Set comes until the source answers again.
func TestNoFailureShrinksTheAnswer(t *testing.T) {
	const whole = "Set(" + allPeers + ")"
	for name, tc := range map[string]struct {
		typ   string
		fault dnstest.Fault
		want  string
	}{
		"SERVFAIL":               {"", dnstest.Code(miekg.RcodeServerFailure), "Fail"},
		"REFUSED":                {"", dnstest.Code(miekg.RcodeRefused), "Fail"},
		"silence":                {"", dnstest.Drop, "Fail"},
		"garbage":                {"", dnstest.Bytes([]byte("\x00\x00garbage"), make([]byte, 512)), "Fail"},
		"TC and TCP refused":     {"A", dnstest.Truncated(1, dnstest.Drop), "Add(10.0.0.1:7946 [fd00::1]:7946) Fail"},
		"A good, AAAA silent":    {"AAAA", dnstest.Drop, "Add(10.0.0.1:7946 10.0.0.2:7946) Fail"},
		"AAAA good, A silent":    {"A", dnstest.Drop, "Add([fd00::1]:7946) Fail"},
		"A good, AAAA SERVFAIL":  {"AAAA", dnstest.Code(miekg.RcodeServerFailure), "Add(10.0.0.1:7946 10.0.0.2:7946) Fail"},
		"one record of three":    {"A", withBad([]byte{0, 0, 0, 0}), "Add(" + allPeers + ") Fail"},
		"NXDOMAIN is an answer":  {"", dnstest.Code(miekg.RcodeNameError), "Set()"}, // which the reconciler believes when it lasts
		"NODATA for IPv4 is too": {"A", dnstest.Changed(func(m *miekg.Msg) { m.Answer = nil }), "Set([fd00::1]:7946)"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				sink := runs(t, s, nil)
				if got := after(sink, time.Minute); got != whole {
					t.Fatalf("got %s at first, want %s", got, whole)
				}
				s.Fault("", tc.typ, tc.fault)
				after(sink, 12*time.Second) // until a lookup has met the fault
				if got := after(sink, 5*time.Minute); got != tc.want {
					t.Errorf("got %s, want %s", got, tc.want)
				}
				s.ClearFaults()
				after(sink, time.Minute)
				if got := after(sink, time.Minute); got != whole {
					t.Errorf("got %s afterwards, want %s", got, whole)
				}
			})
		})
	}
}

func TestDuplicatesInOneAnswerAreOnePeer(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Records("a.test. 5 A 10.0.0.1", "b.test. 5 A 10.0.0.1", "c.test. 5 CNAME a.test.",
			"_g._tcp.test. 5 SRV 0 0 7946 n.test.", "_g._tcp.test. 5 SRV 9 9 7946 n.test.", "n.test. 5 A 10.0.0.1")
		sink := runs(t, s, func(c *Config) { c.Names = []string{"a.test", "b.test", "c.test", "dnssrv+_g._tcp.test"} })
		if got := after(sink, 3*time.Second); got != "Set(10.0.0.1:7946)" {
			t.Errorf("got %s, want one peer", got)
		}
		if p := sink.Calls()[0].Peers[0]; p.ID != "n.test" {
			t.Errorf("peer %+v, want the one that has a name", p)
		}
	})
}

func TestAPodThatMovesKeepsItsID(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		pod := func(ip string) {
			s.Records("_g._tcp.test. 5 SRV 0 0 1 web-0.test.", "web-0.test. 5 A "+ip)
		}
		pod("10.0.0.1")
		sink := runs(t, s, func(c *Config) { c.Names = []string{"_g._tcp.test"} })
		after(sink, 10*time.Second)
		pod("10.0.0.2")
		after(sink, 10*time.Second)
		calls := sink.Calls()
		before, now := calls[0].Peers[0], calls[len(calls)-1].Peers[0]
		if before.ID != now.ID || before.Addr == now.Addr || now.Addr != "10.0.0.2:1" {
			t.Errorf("was %v, is %v, want another address and the same ID", before, now)
		}
	})
}

func TestATTLShortensTheIntervalAndNeverProlongsIt(t *testing.T) {
	for ttl, want := range map[int]time.Duration{0: 20 * time.Second, 1: time.Second, 3: 3 * time.Second, 3600: 20 * time.Second} {
		t.Run(fmt.Sprint(ttl), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *dnstest.Server) {
				s.Records(fmt.Sprintf("peers.test. %d A 10.0.0.1", ttl))
				sink := runs(t, s, func(c *Config) { c.Interval, c.Family = 20*time.Second, IPv4 })
				after(sink, 3*time.Minute) // until the beginning is over
				calls := sink.Calls()
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				calls = sink.Calls()[len(calls):]
				for i, c := range calls[1:] {
					if gap := c.At.Sub(calls[i].At); gap < want*8/10 || gap > want*12/10 {
						t.Errorf("%v between two lookups, want %v ±20 %%", gap, want)
					}
				}
				if len(calls) < 10 {
					t.Errorf("%d lookups", len(calls))
				}
			})
		})
	}
}

func TestSampledAnswersAreUnited(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		rotation := func(q dnstest.Query) [][]byte { // one of three, another each second
			now := time.Now().Unix()
			return dnstest.Changed(func(m *miekg.Msg) {
				m.Answer = m.Answer[:1]
				m.Answer[0].(*miekg.A).A = net.IPv4(10, 0, 0, byte(now%3+1)) //nolint:forcetypeassert // the record of the test
			})(q)
		}
		s.Records("peers.test. 0 A 10.0.0.1")
		s.Fault("", "A", rotation)
		sink := runs(t, s, func(c *Config) { c.Sampled, c.Family = true, IPv4 })
		if got := after(sink, 59*time.Second); strings.Contains(got, "Set") {
			t.Errorf("got %s within a minute, want no Set", got)
		}
		after(sink, 2*time.Minute)
		if got, want := after(sink, time.Minute), "Set(10.0.0.1:7946 10.0.0.2:7946 10.0.0.3:7946)"; got != want {
			t.Errorf("got %s, want %s and nothing else", got, want)
		}
		s.ClearFaults() // now it is 10.0.0.1 each time
		after(sink, 5*time.Minute)
		if got, want := after(sink, time.Minute), "Set(10.0.0.1:7946)"; got != want {
			t.Errorf("got %s, want %s: the others should have been named ten times since", got, want)
		}
		s.Fault("", "", dnstest.Code(miekg.RcodeServerFailure))
		after(sink, 10*time.Second)
		if got := after(sink, 5*time.Minute); got != "Fail" {
			t.Errorf("got %s of a server that fails, want Fail", got)
		}
		s.ClearFaults()
		s.Records()
		after(sink, 4*time.Minute)
		if got := after(sink, time.Minute); got != "Set()" {
			t.Errorf("got %s of a name that is gone, want Set()", got)
		}
	})
}

func TestSampledPartsAreUnitedToo(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		s.Fault("", "AAAA", dnstest.Code(miekg.RcodeServerFailure))
		sink := runs(t, s, func(c *Config) { c.Sampled = true })
		if got, want := after(sink, time.Minute), "Add(10.0.0.1:7946 10.0.0.2:7946) Fail"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestSteadyStateAsksOnceEachRoundAndKeepsItsGoroutines(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		sink := runs(t, s, nil)
		after(sink, 2*time.Minute)
		rounds, asked, goroutines := len(sink.Calls()), len(s.Asked()), runtime.NumGoroutine()
		after(sink, 1000*5*time.Second)
		rounds, asked = len(sink.Calls())-rounds, len(s.Asked())-asked
		if rounds < 900 || rounds > 1200 || asked != 2*rounds {
			t.Errorf("%d questions in %d rounds, want 2 in each of about 1000: one timer", asked, rounds)
		}
		if n := runtime.NumGoroutine(); n > goroutines+2 {
			t.Errorf("%d goroutines after 1000 rounds, %d before", n, goroutines)
		}
	})
}

func TestAPanicOfTheHostEndsTheRunWithAnError(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		c := DefaultConfig()
		c.Names, c.Port, c.Servers = []string{"peers.test"}, 1, []string{s.Addr()}
		st := strategytest.New(t, Kind, c, strategy.Env{Dial: s.Dial, Self: func() []peer.Peer { panic("panics on purpose") }})
		if err := st.Run(t.Context(), new(strategytest.Sink)); err == nil || !strings.Contains(err.Error(), "panics on purpose") {
			t.Errorf("Run = %v, want the panic", err)
		}
	})
}

func TestAskedNamesAreComplete(t *testing.T) {
	bubble(t, func(t *testing.T, s *dnstest.Server) {
		sink := runs(t, s, func(c *Config) { c.Names = []string{"PEERS.test", "other"} })
		after(sink, 3*time.Second)
		for _, q := range s.Asked() {
			name := strings.Fields(q)[1]
			if !slices.Contains([]string{"peers.test.", "other."}, name) {
				t.Errorf("asked for %q, want names with their final dot and no search names", name)
			}
		}
	})
}
