package integration

import "testing"

// A host gets another address while its node runs: the node publishes the new one, and the others connect it there.
func TestAHostThatGetsAnotherAddressStaysAMember(t *testing.T) {
	everyConnector(t, func(t *testing.T, connector string) {
		f := formed(t, 3, connector, ipv4)
		f.lab.Readdress(2, 102)
		for _, host := range []int{1, 3} {
			f.logs(host, lossWithin, "peers connected", "h2@"+f.lab.IP(102)+":7946")
		}
		f.logs(2, lossWithin, "this host has another address", "addr="+f.lab.IP(102))
		f.settles(0, formWithin)
	})
}
