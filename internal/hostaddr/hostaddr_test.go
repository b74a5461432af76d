package hostaddr

import (
	"net/netip"
	"strings"
	"testing"
)

func TestChoosePrefersRoutesThenInterfacesThenLoopback(t *testing.T) {
	for _, c := range []struct{ name, routes, own, want string }{
		{"the IPv4 route wins", "10.0.0.5 fd00::5", "192.168.1.1", "10.0.0.5"},
		{"the IPv6 route serves alone", "- fd00::5", "192.168.1.1", "fd00::5"},
		{"a route out of loopback is none", "127.0.0.1 -", "127.0.0.1 192.168.1.1", "192.168.1.1"},
		{"a link-local route is none", "169.254.1.1 fe80::1", "fd00::7", "fd00::7"},
		{"the first interface address that travels", "- -", "127.0.0.1 fe80::1%eth0 172.16.0.9 8.8.8.8", "172.16.0.9"},
		{"mapped addresses are unwrapped", "- -", "::ffff:10.1.1.1", "10.1.1.1"},
		{"loopback is the last resort", "- -", "fe80::1%eth0 ::1", "::1"},
		{"nothing", "- -", "fe80::1%eth0", "-"},
		{"nothing at all", "", "", "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := choose(addrs(c.routes), addrs(c.own))
			if want := addrs(c.want)[0]; got != want || ok != want.IsValid() {
				t.Errorf("choose(%q, %q) = %v, %v, want %v", c.routes, c.own, got, ok, c.want)
			}
		})
	}
}

func TestOutboundIsAnAddressOfThisHost(t *testing.T) {
	got, err := Outbound()
	if err != nil {
		t.Fatal(err)
	}
	own, err := interfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if a.Unmap().WithZone("") == got {
			return
		}
	}
	t.Errorf("Outbound() = %v, want one of %v", got, own)
}

// addrs parses addresses separated by spaces; "-" is the invalid one.
func addrs(s string) []netip.Addr {
	var all []netip.Addr
	for _, f := range strings.Fields(s) {
		a, _ := netip.ParseAddr(f)
		all = append(all, a)
	}
	return all
}
