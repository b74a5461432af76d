package strategytest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/peer"
)

func TestResolverDoesAsItIsAskedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(Resolver)
		v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
		r.Answer("a.test", v4, v6)
		r.Answer("empty.test")
		r.NotFound("gone.test")
		r.ServFail("broken.test")
		r.Hang("slow.test")
		for _, tc := range []struct {
			network, host string
			want          int
			is            func(*net.DNSError) bool // nil: no error
		}{
			{"ip", "a.test", 2, nil},
			{"ip4", "a.test", 1, nil},
			{"ip6", "a.test", 1, nil},
			{"ip", "empty.test", 0, nil},
			{"ip", "gone.test", 0, func(e *net.DNSError) bool { return e.IsNotFound }},
			{"ip", "unknown.test", 0, func(e *net.DNSError) bool { return e.IsNotFound }},
			{"ip", "broken.test", 0, func(e *net.DNSError) bool { return e.IsTemporary && !e.IsNotFound }},
			{"ip", "slow.test", 0, func(e *net.DNSError) bool { return e.IsTimeout }},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			addrs, err := r.LookupNetIP(ctx, tc.network, tc.host)
			cancel()
			var dns *net.DNSError
			if len(addrs) != tc.want || (err == nil) != (tc.is == nil) || err != nil && (!errors.As(err, &dns) || !tc.is(dns)) {
				t.Errorf("lookup of %s %s = %v, %v", tc.network, tc.host, addrs, err)
			}
		}
		if n := r.Lookups(); n != 8 {
			t.Errorf("%d lookups counted, want 8", n)
		}
	})
}

func TestResolverPanicsWhenItIsAskedTo(t *testing.T) {
	r := new(Resolver)
	r.Panic("a.test")
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = r.LookupNetIP(t.Context(), "ip", "a.test")
}

func TestSinkRecordsCopiesAndWritesOverWhatItIsGiven(t *testing.T) {
	s := new(Sink)
	given := []peer.Peer{{Addr: "b:1"}, {Addr: "a:1"}}
	s.Set(given)
	s.Add(given[:1])
	s.Fail(errors.New("no route"))
	var got []string
	for _, c := range s.Calls() {
		got = append(got, c.String())
	}
	want := []string{"Set(a:1 b:1)", "Add(" + scribble + ")", "Fail(no route)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if got, want := Summary(append(s.Calls(), s.Calls()...)), "Add("+scribble+") Fail Set(a:1 b:1)"; got != want {
		t.Errorf("Summary = %q, want %q", got, want)
	}
}

func TestSinkWaitsForACondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, began := new(Sink), time.Now()
		time.AfterFunc(time.Second, func() { s.Fail(errors.New("first")) })
		time.AfterFunc(2*time.Second, func() { s.Set(nil) })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		calls, err := s.WaitFor(ctx, Has(Set))
		if err != nil || len(calls) != 2 || time.Since(began) != 2*time.Second {
			t.Errorf("WaitFor = %v, %v after %v, want both calls after 2s", calls, err, time.Since(began))
		}
		if late := s.Since(began.Add(2 * time.Second)); len(late) != 1 || late[0].Method != Set {
			t.Errorf("Since = %v, want the Set", late)
		}
		if _, err := s.WaitFor(ctx, Has(Add)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitFor of what never comes = %v, want the end of its context", err)
		}
	})
}
