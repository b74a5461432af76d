package ops

import "testing"

func TestOnlyAddressesAndOwnNamesAreThisHost(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:7947": true, "[::1]:7947": true, "::1": true, "10.0.0.7:80": true, "localhost": true, "LOCALHOST.:80": true,
		"orders.example": true, "Orders.Example:7947": true,
		"": false, "evil.example": false, "localhost.evil.example": false, "orders.example.evil": false, "0x7f000001": false, "127.1": false,
	} {
		if got := isOwnHost(host, []string{"orders.example"}); got != want {
			t.Errorf("isOwnHost(%q) = %v, want %v", host, got, want)
		}
	}
}
