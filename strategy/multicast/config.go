package multicast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// defaultPort is the UDP port of the groups and of seeds without one.
const defaultPort = 45892

const (
	maxKeys  = 8
	maxSeeds = 64
)

// Config is where heartbeats are sent and how often. All nodes of a cluster need the same
// groups, port, broadcast and keys, and similar intervals.
type Config struct {
	// IPv4Group is the IPv4 multicast group; default 233.252.1.32, "" turns IPv4 off.
	IPv4Group string `yaml:"ipv4_group"`
	// IPv6Group is the IPv6 multicast group; default ff12::6c63 (link-local, transient), "" turns
	// IPv6 off. A host without IPv6 is not an error.
	IPv6Group string `yaml:"ipv6_group"`
	// Port is the UDP port to send to and to listen on, 1 to 65535; default 45892. Nodes on one host share it.
	Port int `yaml:"port"`
	// Interfaces to use, each by name ("eth0"), address ("10.0.0.7") or network ("10.0.0.0/8");
	// default: all that are up, can multicast and are neither point-to-point nor loopback, and
	// loopback if there is no other.
	Interfaces []string `yaml:"interfaces"`
	// TTL is how many routers a multicast may pass plus one (the hop limit in IPv6), 1 to 255; default 1.
	TTL int `yaml:"ttl"`
	// Interval between two heartbeats, each ±50 %; 100ms to 30s, default 2s. It is longer where more than 20 heartbeats a
	// second of all nodes together would come of it, which is from 41 nodes on by default.
	Interval time.Duration `yaml:"interval"`
	// ExpireAfter is the silence after which a peer is gone; at least 2 intervals and at most 10m,
	// default (0) 5 intervals. It grows with the interval.
	ExpireAfter time.Duration `yaml:"expire_after"`
	// Rescan is how often the interfaces are looked at for changes; 1s to 10m, default 15s. While one is missed, or loopback
	// stands in, it is at most a second.
	Rescan time.Duration `yaml:"rescan"`
	// Keys of 32 bytes, base64, at most 8. The first seals, all open, so that keys can be changed
	// one by one; default none: packets are plain and every host on the network can join.
	Keys []strategy.Key `yaml:"keys"`
	// Seeds are hosts, with or without a port, that get every heartbeat by unicast as well, at most 64; default none.
	Seeds []string `yaml:"seeds"`
	// Broadcast sends IPv4 broadcasts instead of multicasts, for networks that drop those; default false.
	Broadcast bool `yaml:"broadcast"`
}

// DefaultConfig returns the settings of a node that names none.
func DefaultConfig() Config {
	return Config{
		IPv4Group: "233.252.1.32",
		IPv6Group: "ff12::6c63",
		Port:      defaultPort,
		TTL:       1,
		Interval:  2 * time.Second,
		Rescan:    15 * time.Second,
	}
}

// missedHeartbeats is how many heartbeats of a peer must fail to come until it is gone.
const missedHeartbeats = 5

// peerExpiry is the silence after which a peer is gone that sends in the configured interval.
func (c Config) peerExpiry() time.Duration {
	if c.ExpireAfter == 0 {
		return missedHeartbeats * c.Interval
	}
	return c.ExpireAfter
}

// expiryOf is the silence after which a peer is gone that sends in an interval; 0 stands for the configured one. A longer
// interval means a longer expiry.
func (c Config) expiryOf(interval time.Duration) time.Duration {
	perInterval := min(missedHeartbeats, float64(c.peerExpiry())/float64(c.Interval))
	return max(c.peerExpiry(), time.Duration(perInterval*float64(interval)))
}

// Validate reports every setting that cannot work, placed at its key.
func (c Config) Validate() error {
	var errs []error
	at := func(key string, err error) { errs = append(errs, strategy.At(key, err)) }
	at("ipv4_group", checkGroup(c.IPv4Group, v4))
	at("ipv6_group", checkGroup(c.IPv6Group, v6))
	if c.IPv4Group == "" && c.IPv6Group == "" && !c.Broadcast {
		at("ipv4_group", errors.New("both groups are empty, so nothing can be heard; set at least one"))
	}
	at("port", checkRange(c.Port, 1, 65535))
	at("ttl", checkRange(c.TTL, 1, 255))
	at("interval", checkRange(c.Interval, 100*time.Millisecond, 30*time.Second))
	at("rescan", checkRange(c.Rescan, time.Second, 10*time.Minute))
	if c.ExpireAfter != 0 {
		at("expire_after", checkRange(c.ExpireAfter, 2*c.Interval, 10*time.Minute))
	}
	for i, name := range c.Interfaces {
		if strings.TrimSpace(name) == "" {
			at(fmt.Sprintf("interfaces[%d]", i), errors.New("is empty; name an interface, an address or a network"))
		} else if _, err := netip.ParsePrefix(name); err != nil && strings.Contains(name, "/") {
			at(fmt.Sprintf("interfaces[%d]", i), fmt.Errorf("%q is not a network such as 10.0.0.0/8", name))
		}
	}
	at("keys", atMost(len(c.Keys), maxKeys))
	at("seeds", atMost(len(c.Seeds), maxSeeds))
	for i, s := range c.Seeds {
		_, err := c.seedAddr(s)
		at(fmt.Sprintf("seeds[%d]", i), err)
	}
	return errors.Join(errs...)
}

func checkGroup(group string, f family) error {
	if group == "" {
		return nil
	}
	a, err := netip.ParseAddr(group)
	if err != nil || !a.IsMulticast() || a.Zone() != "" || familyOf(a) != f {
		example := [families]string{"233.252.1.32", "ff12::6c63"}[f]
		return fmt.Errorf("%q is not an %v multicast address such as %s", group, f, example)
	}
	return nil
}

func checkRange[T int | time.Duration](v, low, high T) error {
	if v < low || v > high {
		return fmt.Errorf("%v is not within %v and %v", v, low, high)
	}
	return nil
}

func atMost(n, limit int) error {
	if n > limit {
		return fmt.Errorf("has %d entries, at most %d are allowed", n, limit)
	}
	return nil
}

// groups returns the groups in use; an invalid address stands for a family without one.
func (c Config) groups() (g [families]netip.Addr) {
	g[v4], _ = netip.ParseAddr(c.IPv4Group) // an empty one stays invalid; Validate has seen the others
	g[v6], _ = netip.ParseAddr(c.IPv6Group)
	return g
}

// usesFamily reports whether a family is switched on.
func (c Config) usesFamily(f family) bool {
	return c.groups()[f].IsValid() || f == v4 && c.Broadcast
}

// seedAddr returns the canonical host:port of an entry of Seeds.
func (c Config) seedAddr(s string) (string, error) {
	if _, _, err := net.SplitHostPort(s); err != nil {
		s = net.JoinHostPort(strings.Trim(s, "[]"), strconv.Itoa(c.Port))
	}
	addr, err := peer.Addr(s)
	if err != nil {
		return "", fmt.Errorf("%w; want a host or host:port", err)
	}
	return addr, nil
}
