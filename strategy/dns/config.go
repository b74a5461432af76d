package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

const (
	maxNames   = 64
	maxServers = 16
)

// Family selects which addresses of a name are taken.
type Family string

// The families.
const (
	AnyFamily  Family = "any"  // all; of an SRV target, which is one node, those of one family: see SameFamily
	SameFamily Family = "same" // where there are both, that of this node's own address; IPv4 while that is unknown
	IPv4       Family = "ipv4" // asks for A records alone
	IPv6       Family = "ipv6" // asks for AAAA records alone
)

// Config names what to ask for.
type Config struct {
	// Names to ask for, 1 to 64: of A and AAAA records ("peers.example.com"), of SRV records ("_gossip._tcp.example.com"),
	// with ":port" behind it, or with a prefix that names its kind: dns+, dnssrv+, dnssrvnoa+.
	Names []string `yaml:"names"`
	Port  int      `yaml:"port"` // of addresses, 1..65535; 0 means that each name has its own, or SRV records hold it

	Sampled bool   `yaml:"sampled"` // an answer is a part of the peers, a different one each time
	Family  Family `yaml:"family"`

	Source `yaml:",inline"`
}

// Source is the servers to ask and how often.
type Source struct {
	Servers    []string `yaml:"servers"`     // host:port each, at most 16; none means those of ResolvConf
	ResolvConf string   `yaml:"resolv_conf"` // the file that names the servers and the search names

	strategy.PollConfig `yaml:",inline"` // how often to ask; interval 1s to 50s
}

func defaultSource() Source {
	return Source{ResolvConf: "/etc/resolv.conf", PollConfig: strategy.DefaultPoll()}
}

// DefaultConfig asks the servers of the machine for all addresses, every 5 s. It names nothing to ask for.
func DefaultConfig() Config { return Config{Family: AnyFamily, Source: defaultSource()} }

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	errs := []error{c.Source.Validate(), checkPort(c.Port), checkFamily(c.Family, AnyFamily, SameFamily, IPv4, IPv6)}
	switch {
	case len(c.Names) == 0:
		errs = append(errs, strategy.At("names", errors.New("name at least one, such as peers.example.com")))
	case len(c.Names) > maxNames:
		errs = append(errs, strategy.At("names", fmt.Errorf("has %d entries, at most %d are allowed", len(c.Names), maxNames)))
	}
	first := make(map[subject]int, len(c.Names))
	for i, name := range c.Names {
		s, err := parseName(name, c.Port)
		if j, twice := first[s]; err == nil && twice {
			err = fmt.Errorf("%q is the same as names[%d]", name, j)
		}
		first[s] = i
		errs = append(errs, strategy.At(fmt.Sprintf("names[%d]", i), err))
	}
	return errors.Join(errs...)
}

// maxSampleInterval is how rarely samples may be taken for their union to become complete soon.
const maxSampleInterval = 10 * time.Second

// Warnings reports settings with which answers stay incomplete for long.
func (c Config) Warnings() error {
	if !c.Sampled || c.Interval <= maxSampleInterval {
		return nil
	}
	return strategy.At("interval", fmt.Errorf("with sampled, an answer is complete only after %d lookups without a failure or more, "+
		"which take %v; until then no peer is disconnected and, without expect or min_peers, the topology is not ready; set 5s or less",
		expectedNamings, expectedNamings*c.Interval))
}

// Validate reports every setting that cannot work.
func (s Source) Validate() error {
	errs := []error{s.PollConfig.Validate()}
	if s.Interval >= 100*time.Millisecond && s.Interval < time.Second {
		errs = append(errs, strategy.At("interval", fmt.Errorf("%v is below the minimum of 1s for DNS", s.Interval)))
	}
	if len(s.Servers) > maxServers {
		errs = append(errs, strategy.At("servers", fmt.Errorf("has %d entries, at most %d are allowed", len(s.Servers), maxServers)))
	}
	for i, server := range s.Servers {
		errs = append(errs, strategy.At(fmt.Sprintf("servers[%d]", i), checkServer(server)))
	}
	if s.ResolvConf == "" && len(s.Servers) == 0 {
		errs = append(errs, strategy.At("resolv_conf", errors.New("is empty; name the file, or set servers")))
	}
	return errors.Join(errs...)
}

func checkServer(server string) error {
	if at, err := netip.ParseAddrPort(server); err == nil {
		if at.Port() == 0 {
			return fmt.Errorf("%q: port 0 is not in 1..65535; DNS servers listen on 53", server)
		}
		return nil
	}
	if _, err := netip.ParseAddr(strings.Trim(server, "[]")); err == nil {
		return fmt.Errorf("%q has no port; DNS servers listen on 53", server)
	}
	if _, err := peer.Addr(server); err != nil {
		return err
	}
	return fmt.Errorf("%q is a name; a DNS server is named by its address, such as 10.96.0.10:53", server)
}

func checkPort(port int) error {
	if port < 0 || port > 65535 {
		return strategy.At("port", fmt.Errorf("%d is not in 1..65535, nor 0 for none", port))
	}
	return nil
}

func checkFamily(f Family, known ...Family) error {
	if !slices.Contains(known, f) {
		return strategy.At("family", fmt.Errorf("%q is none of %v", f, known))
	}
	return nil
}
