package static

import (
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// Config lists the peers.
type Config struct {
	// Hosts holds host:port each, or several separated by commas, as an environment variable gives them; at least one. A host is an IP
	// address or a name.
	Hosts []string `yaml:"hosts"`

	strategy.PollConfig `yaml:",inline"` // how often names are resolved
}

// DefaultConfig resolves names every 30 s and gives each round 5 s. It lists no hosts.
func DefaultConfig() Config {
	return Config{PollConfig: strategy.PollConfig{Interval: 30 * time.Second, Timeout: 5 * time.Second}}
}

// Validate reports every host that is not host:port or is listed twice.
func (c Config) Validate() error {
	errs := []error{c.PollConfig.Validate()}
	if len(c.Hosts) == 0 {
		errs = append(errs, strategy.At("hosts", errors.New("list at least one host:port")))
	}
	first := make(map[string]int, len(c.Hosts))
	for i, host := range c.eachHost() {
		key := fmt.Sprintf("hosts[%d]", i)
		e, err := parseEntry(host)
		if err != nil {
			errs = append(errs, strategy.At(key, err))
			continue
		}
		if j, twice := first[e.addr]; twice {
			errs = append(errs, strategy.At(key, fmt.Errorf("address %q is the same as hosts[%d]", host, j)))
			continue
		}
		first[e.addr] = i
	}
	return errors.Join(errs...)
}

// eachHost yields each host:port, with the index of its entry.
func (c Config) eachHost() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i, entry := range c.Hosts {
			for host := range strings.SplitSeq(entry, ",") {
				if !yield(i, strings.TrimSpace(host)) {
					return
				}
			}
		}
	}
}

// FixedPeers returns the canonical host:port of each host.
func (c Config) FixedPeers() []string {
	var all []string
	for _, host := range c.eachHost() {
		if e, err := parseEntry(host); err == nil { // Validate reports the others
			all = append(all, e.addr)
		}
	}
	return all
}

// entry is one configured host.
type entry struct {
	addr    string // canonical host:port
	host    string
	port    string
	literal bool // the host is an IP address
}

func parseEntry(hostport string) (entry, error) {
	addr, err := peer.Addr(hostport)
	if err != nil {
		return entry{}, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return entry{}, fmt.Errorf("address %q: %w", hostport, err)
	}
	ip, err := netip.ParseAddr(host)
	if err == nil && ip.IsUnspecified() {
		return entry{}, fmt.Errorf("address %q: no peer can be dialled at %s; name the peer's own address", hostport, host)
	}
	return entry{addr: addr, host: host, port: port, literal: err == nil}, nil
}
