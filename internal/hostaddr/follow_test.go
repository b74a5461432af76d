package hostaddr

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnAddressIsReplacedOnlyWhenNoInterfaceHasIt(t *testing.T) {
	for _, c := range []struct {
		name, current, own string
		want               bool
	}{
		{"it is there", "10.0.0.5", "127.0.0.1 10.0.0.5 172.17.0.1", false},
		{"it is there as a mapped address", "10.0.0.5", "::ffff:10.0.0.5", false},
		{"it is there beside a new one", "fd00::5", "10.0.0.9 fd00::5", false},
		{"it is gone", "10.0.0.5", "127.0.0.1 10.0.0.9", true},
		{"no address is left", "10.0.0.5", "", true},
		{"it is a loopback address", "127.0.0.1", "127.0.0.1 10.0.0.9", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := needsReplacement(addrs(c.current)[0], addrs(c.own)); got != c.want {
				t.Errorf("needsReplacement(%s, %s) = %v, want %v", c.current, c.own, got, c.want)
			}
		})
	}
}

func TestANewAddressIsTakenWhenTwoLooksFindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := addrs("- 10.0.0.2 - 10.0.0.2 10.0.0.3 10.0.0.3 10.0.0.3 10.0.0.3") // - : there is none
		ctx, cancel := context.WithCancel(t.Context())
		var took []netip.Addr
		replacement := func(current netip.Addr) (netip.Addr, bool) {
			if len(looks) == 0 {
				cancel()
				return netip.Addr{}, false
			}
			addr := looks[0]
			looks = looks[1:]
			return addr, addr.IsValid() && addr != current
		}
		began := time.Now()
		follow(ctx, addrs("10.0.0.1")[0], replacement, func(a netip.Addr) { took = append(took, a) })
		if want := addrs("10.0.0.3"); !slices.Equal(took, want) {
			t.Errorf("took %v, want %v", took, want)
		}
		if elapsed := time.Since(began); elapsed < 9*followEvery*4/5 || elapsed > 9*followEvery*6/5 {
			t.Errorf("9 looks took %v, want %v each, ±20 %%", elapsed, followEvery)
		}
	})
}
