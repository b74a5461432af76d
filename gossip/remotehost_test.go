package gossip

import "testing"

func TestHostsAreDistinguished(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1", "[::ffff:10.0.0.1]:80": "10.0.0.1", "[::1]:80": "::1", "name:1": "name", "junk": "junk",
		"[2001:db8::1]:80": "2001:db8::/64", "[2001:db8::2]:80": "2001:db8::/64", "[fe80::1%eth0]:1": "fe80::/64",
	} {
		if got := hostOf(tcpAddr(addr)); got != want {
			t.Errorf("hostOf(%s) = %s, want %s", addr, got, want)
		}
	}
}
