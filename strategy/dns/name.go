package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// lookupKind is what a name is asked for.
type lookupKind int

const (
	addresses      lookupKind = iota // A and AAAA
	services                         // SRV, and the addresses of the targets
	serviceTargets                   // SRV, the targets being the hosts of the peers
)

// subject is something to ask for. Two that are equal find the same peers.
type subject struct {
	kind  lookupKind
	name  string // in lower case; a final dot marks it as complete, with no search name to be tried
	port  uint16 // of the peers; 0 means that of the SRV record
	podID bool   // the first label of an SRV target is the ID, as that of a pod; else the whole target is
}

// prefixes select what a name is asked for, as Thanos writes it.
var prefixes = map[string]lookupKind{"dns+": addresses, "dnssrv+": services, "dnssrvnoa+": serviceTargets}

// parseName reads an entry of Names; port is for a name of addresses that has none.
func parseName(entry string, port int) (subject, error) {
	var s subject
	name := entry
	if i := strings.IndexByte(entry, '+'); i >= 0 {
		kind, known := prefixes[entry[:i+1]]
		if !known {
			return s, fmt.Errorf("%q begins with %q; the prefixes are dns+, dnssrv+ and dnssrvnoa+", entry, entry[:i+1])
		}
		s.kind, name = kind, entry[i+1:]
	} else if strings.HasPrefix(entry, "_") {
		s.kind = services
	}
	if host, text, found := strings.Cut(name, ":"); found && !strings.Contains(text, ":") {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return s, fmt.Errorf("%q: port %q is not a number in 1..65535", entry, text)
		}
		name, s.port = host, uint16(n)
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return s, fmt.Errorf("%q is an address; strategy static takes addresses", entry)
	}
	s.name = strings.ToLower(name)
	if err := checkName(s.name); err != nil {
		return s, fmt.Errorf("%q: %w", entry, err)
	}
	if s.kind == addresses && s.port == 0 {
		if s.port = uint16(port); port <= 0 || port > 65535 { //nolint:gosec // checked in the same line
			return s, fmt.Errorf("%q has no port; write %s:7946, or set port", entry, entry)
		}
	}
	return s, nil
}

// checkName reports what is wrong with a domain name.
func checkName(name string) error {
	trimmed := strings.TrimSuffix(name, ".")
	if trimmed == "" {
		return errors.New("the name is empty")
	}
	if len(trimmed) > 253 {
		return errors.New("the name is longer than 253 characters")
	}
	for label := range strings.SplitSeq(trimmed, ".") {
		switch {
		case label == "":
			return errors.New("the name has an empty part between its dots")
		case len(label) > 63:
			return fmt.Errorf("%q is longer than 63 characters", label)
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return fmt.Errorf("the name holds %q", r)
			}
		}
	}
	return nil
}

// candidateNames returns the complete names to ask for, in their order: as resolvers do, a name of ndots dots or more is
// asked for as it is before search names are added, one of fewer afterwards.
func (s subject) candidateNames(search []string, ndots int) []string {
	if strings.HasSuffix(s.name, ".") {
		return []string{s.name}
	}
	absolute := dns.Fqdn(s.name)
	var all []string
	if strings.Count(s.name, ".") >= ndots {
		all = append(all, absolute)
	}
	for _, suffix := range search {
		if name := strings.ToLower(absolute + dns.Fqdn(suffix)); suffix != "." && len(name) <= 254 {
			all = append(all, name)
		}
	}
	if strings.Count(s.name, ".") < ndots {
		all = append(all, absolute)
	}
	return all
}
