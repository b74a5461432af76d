package dns

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/goconvoke/convoke/internal/reread"
	"github.com/miekg/dns"
)

const (
	maxResolvConf = 64 << 10 // bytes
	maxSearch     = 32
)

// resolverSetup is whom to ask, and for what besides the name itself.
type resolverSetup struct {
	servers []string // host:port
	search  []string
	ndots   int
}

// resolvConf reads a file like /etc/resolv.conf again when it changes. It belongs to one lookup at a time.
type resolvConf struct {
	path string

	file  reread.File
	known bool // setup was read at least once
	setup resolverSetup
	bad   error // why the content as last read is not used
	stale error // why setup is that of an earlier content
}

// readCurrent returns the content of the file. When it cannot be read any more, its last content holds, and stale is the reason.
func (r *resolvConf) readCurrent() (resolverSetup, error) {
	r.file.Most = maxResolvConf
	data, changed, err := r.file.Read(r.path)
	if changed {
		var s resolverSetup
		if s, r.bad = parseResolvConf(data); r.bad == nil {
			r.setup, r.known = s, true
		} else {
			r.bad = fmt.Errorf("%s: %w", r.path, r.bad)
		}
	}
	if err == nil {
		err = r.bad
	}
	if r.stale = err; err != nil && !r.known {
		return resolverSetup{}, fmt.Errorf("find the DNS servers: %w; set servers to do without the file", err)
	}
	return r.setup, nil
}

// parseResolvConf reads the text of a resolv.conf. Without a nameserver line it means a server on this machine.
func parseResolvConf(data []byte) (resolverSetup, error) {
	c, err := dns.ClientConfigFromReader(bytes.NewReader(data))
	if err != nil {
		return resolverSetup{}, err
	}
	s := resolverSetup{ndots: c.Ndots}
	for _, server := range c.Servers {
		if _, err := netip.ParseAddr(server); err == nil && len(s.servers) < maxServers {
			s.servers = append(s.servers, net.JoinHostPort(server, c.Port))
		}
	}
	if len(c.Servers) == 0 {
		s.servers = []string{"127.0.0.1:53", "[::1]:53"}
	}
	if len(s.servers) == 0 {
		return resolverSetup{}, errors.New("no nameserver line holds an address")
	}
	for _, suffix := range c.Search {
		suffix = strings.ToLower(strings.TrimSuffix(suffix, "."))
		if checkName(suffix) == nil && len(s.search) < maxSearch {
			s.search = append(s.search, suffix)
		}
	}
	return s, nil
}
