package hostaddr

import "testing"

func TestHostOnlyDistinguishesHostsFromAddressesWithAPort(t *testing.T) {
	for _, c := range []struct {
		in, host string
		bare     bool
	}{
		{"10.0.0.1", "10.0.0.1", true},
		{"::1", "::1", true},
		{"[::1]", "::1", true},
		{"fe80::1%eth0", "fe80::1%eth0", true},
		{"db.example.com", "db.example.com", true},
		{"10.0.0.1:7946", "10.0.0.1:7946", false},
		{"db.example.com:7946", "db.example.com:7946", false},
		{"[::1]:7946", "::1]:7946", false},
	} {
		if host, bare := HostOnly(c.in); host != c.host || bare != c.bare {
			t.Errorf("%q: %q, %v, want %q, %v", c.in, host, bare, c.host, c.bare)
		}
	}
}
