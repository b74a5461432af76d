package multicast

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/strategy"
)

func configure(t *testing.T, text string) (Config, error) {
	t.Helper()
	reg, err := strategy.NewRegistry(Kind)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	var n *yaml.Node
	if len(doc.Content) > 0 {
		n = doc.Content[0]
	}
	got, err := reg.Configure("multicast", n, strategy.Source{File: "c.yaml"})
	if err != nil {
		return Config{}, err
	}
	return got.Config.(Config), nil
}

func TestDefaultsAreValidAndOverridable(t *testing.T) {
	got, err := configure(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(DefaultConfig(), got); diff != "" {
		t.Errorf("no settings (-want +got):\n%s", diff)
	}
	got, err = configure(t, `
ipv6_group: ""
interfaces: [eth0, 10.0.0.0/8, "fe80::1"]
interval: 5s
expire_after: 1m
keys: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]
seeds: [a.example, "10.0.0.1:99", "fd00::1", "[fd00::2]:99"]
broadcast: true
`)
	if err != nil {
		t.Fatal(err)
	}
	if got.IPv6Group != "" || got.Interval != 5*time.Second || got.peerExpiry() != time.Minute || len(got.Keys) != 1 || !got.Broadcast {
		t.Errorf("settings are %+v", got)
	}
	var seeds []string
	for _, s := range got.Seeds {
		addr, _ := got.seedAddr(s)
		seeds = append(seeds, addr)
	}
	want := []string{"a.example:45892", "10.0.0.1:99", "[fd00::1]:45892", "[fd00::2]:99"}
	if diff := cmp.Diff(want, seeds); diff != "" {
		t.Errorf("seeds (-want +got):\n%s", diff)
	}
}

func TestBadSettingsAreReportedAtTheirKeys(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"ipv4_group: 10.0.0.1", "c.yaml:1:13: ipv4_group: \"10.0.0.1\" is not an ipv4 multicast address"},
		{"ipv4_group: ff12::1", "ipv4_group"},
		{"ipv6_group: 233.252.1.32", "ipv6_group"},
		{"ipv6_group: ff12::1%eth0", "ipv6_group"},
		{`{ipv4_group: "", ipv6_group: ""}`, "both groups are empty"},
		{"port: 0", "port: 0 is not within 1 and 65535"},
		{"ttl: 256", "ttl: 256 is not within 1 and 255"},
		{"interval: 50ms", "interval: 50ms is not within 100ms and 30s"},
		{"interval: 1m", "interval"},
		{"expire_after: 3s", "expire_after: 3s is not within 4s and 10m0s"},
		{"rescan: 0s", "rescan: 0s is not within 1s and 10m0s"},
		{"interfaces: [eth0, ' ']", "interfaces[1]: is empty"},
		{"interfaces: [10.0.0.0/33]", "interfaces[0]"},
		{"keys: [abc]", "key is not base64"},
		{"seeds: [a, 'b:x']", "seeds[1]"},
		{"seeds: [" + strings.Repeat("a,", 65) + "]", "at most 64"},
		{"groups: []", "unknown key"},
	} {
		_, err := configure(t, c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want an error with %q", c.text, err, c.want)
		}
	}
}

func TestInterfacesAreChosen(t *testing.T) {
	make := func(name string, index int, flags net.Flags, addrs ...string) netInterface {
		i := netInterface{Index: index, Name: name, Flags: flags}
		for _, a := range addrs {
			i.Addrs = append(i.Addrs, netip.MustParsePrefix(a))
		}
		return i
	}
	lo := make("lo", 1, net.FlagUp|net.FlagRunning|net.FlagLoopback, "127.0.0.1/8", "::1/128")
	eth0 := make("eth0", 2, usual, "10.0.0.7/8", "fe80::7/64")
	eth1 := make("eth1", 3, usual, "192.168.0.7/24")
	pulled := make("eth2", 4, usual&^net.FlagRunning, "172.16.0.7/16")
	vpn := make("tun0", 5, usual|net.FlagPointToPoint, "10.8.0.1/24")
	plain := make("ib0", 6, net.FlagUp|net.FlagRunning, "10.1.0.1/24")
	bare := make("eth3", 7, usual)
	host := []netInterface{lo, eth0, eth1, pulled, vpn, plain, bare}
	for _, c := range []struct {
		name     string
		host     []netInterface
		settings []string
		family   family
		want     []string
	}{
		{"all usual ones", host, nil, v4, []string{"eth0", "eth1"}},
		{"with an IPv6 address", host, nil, v6, []string{"eth0"}},
		{"loopback as the last resort", []netInterface{lo, pulled, vpn}, nil, v4, []string{"lo"}},
		{"never loopback in IPv6", []netInterface{lo}, nil, v6, nil},
		{"by name", host, []string{"eth1"}, v4, []string{"eth1"}},
		{"loopback by name", host, []string{"lo"}, v4, []string{"lo"}},
		{"point-to-point by name", host, []string{"tun0"}, v4, []string{"tun0"}},
		{"by address", host, []string{"10.0.0.7"}, v4, []string{"eth0"}},
		{"by IPv6 address, used for IPv4 too", host, []string{"fe80::7"}, v4, []string{"eth0"}},
		{"by network", host, []string{"192.168.0.0/16"}, v4, []string{"eth1"}},
		{"several", host, []string{"lo", "192.168.0.0/16"}, v4, []string{"lo", "eth1"}},
		{"named but down", host, []string{"eth2"}, v4, nil},
	} {
		cfg := DefaultConfig()
		cfg.Interfaces = c.settings
		var got []string
		for _, i := range chooseInterfaces(c.host, cfg, c.family) {
			got = append(got, i.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: chose %v, want %v", c.name, got, c.want)
		}
	}
	cfg := DefaultConfig()
	cfg.Interfaces = []string{"eth0", "eth2", "wlan0"}
	if errs := missingInterfaces(host, cfg); len(errs) != 2 || !strings.Contains(errs[0].Error(), "eth2 (down)") {
		t.Errorf("missing(%v) = %v, want errors about eth2 and wlan0", cfg.Interfaces, errs)
	}
}

func TestBroadcastAddresses(t *testing.T) {
	i := netInterface{}
	for _, p := range []string{"10.1.2.3/8", "192.168.5.130/25", "10.0.0.1/30", "10.0.0.1/31", "10.0.0.1/32", "fd00::1/64"} {
		i.Addrs = append(i.Addrs, netip.MustParsePrefix(p))
	}
	want := []netip.Addr{
		netip.MustParseAddr("10.255.255.255"), netip.MustParseAddr("192.168.5.255"), netip.MustParseAddr("10.0.0.3"),
	}
	if got := i.broadcasts(); !slices.Equal(got, want) {
		t.Errorf("broadcasts() = %v, want %v", got, want)
	}
}
