package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	headerSize = 12 // bytes
	maxAliases = 8  // CNAMEs in a row
)

// errMismatch marks a message that does not belong to the query.
var errMismatch = errors.New("not an answer to the question")

// decodeAnswer reads a message that came from a server and checks that it answers the query.
func decodeAnswer(raw []byte, query *dns.Msg) (m *dns.Msg, err error) {
	if len(raw) < headerSize {
		return nil, fmt.Errorf("%d bytes: %w", len(raw), errMismatch)
	}
	if id := binary.BigEndian.Uint16(raw); id != query.Id {
		return nil, fmt.Errorf("the ID is another: %w", errMismatch)
	}
	defer func() {
		if r := recover(); r != nil { // what a decoder thinks of foreign bytes must not end the process
			m, err = nil, fmt.Errorf("malformed answer: %v", r)
		}
	}()
	m = new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		return nil, fmt.Errorf("malformed answer: %w", err)
	}
	if !m.Response || m.Opcode != dns.OpcodeQuery {
		return nil, fmt.Errorf("no response: %w", errMismatch)
	}
	if !echoesQuery(m, query) {
		return nil, fmt.Errorf("the question is another: %w", errMismatch)
	}
	if n := int(binary.BigEndian.Uint16(raw[6:])); n != len(m.Answer) && !m.Truncated {
		return nil, fmt.Errorf("malformed answer: announces %d records and holds %d", n, len(m.Answer))
	}
	return m, nil
}

// echoesQuery reports whether the question of a response is that of the query. A server that cannot read the
// query may leave it out.
func echoesQuery(m, query *dns.Msg) bool {
	if len(m.Question) == 0 {
		return m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented
	}
	a, b := m.Question[0], query.Question[0]
	return len(m.Question) == 1 && strings.EqualFold(a.Name, b.Name) && a.Qtype == b.Qtype && a.Qclass == b.Qclass
}

// answerError returns an error unless the message is an answer: records, or that there are none.
func answerError(m *dns.Msg) error {
	switch m.Rcode {
	case dns.RcodeNameError:
		return nil
	case dns.RcodeSuccess:
		if len(m.Answer) == 0 && !m.Truncated && !m.Authoritative && !m.RecursionAvailable && negativeSOA(m) == nil {
			return errors.New("the server is not authoritative for this name and does not recurse")
		}
		return nil
	}
	if text, known := dns.RcodeToString[m.Rcode]; known {
		return errors.New(text)
	}
	return fmt.Errorf("response code %d", m.Rcode)
}

// negativeSOA returns the record that comes with a negative answer, nil if there is none.
func negativeSOA(m *dns.Msg) *dns.SOA {
	for _, rr := range m.Ns {
		if s, ok := rr.(*dns.SOA); ok {
			return s
		}
	}
	return nil
}

// service is an SRV record.
type service struct {
	target           string // complete, in lower case
	port             uint16
	priority, weight uint16
}

// answer is what a message holds about a question.
type answer struct {
	addrs    []netip.Addr
	services []service
	glue     map[string][]netip.Addr // addresses in the additional section, by name
	ttl      time.Duration           // the shortest of the records; 0 means that none has one
	alias    string                  // to be asked for instead, "" for nothing
	err      error                   // what had to be left out
	bad      int                     // how many records that were
}

// readRecords takes from a message what it holds about a question.
func readRecords(m *dns.Msg, q question) answer {
	var a answer
	chain, end, err := followAliases(m.Answer, q.name)
	if err != nil {
		return answer{err: err}
	}
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Class != dns.ClassINET || !chain[strings.ToLower(h.Name)] {
			continue
		}
		if h.Rrtype == q.typ {
			a.addRecord(rr)
		}
		if h.Rrtype == q.typ || h.Rrtype == dns.TypeCNAME {
			a.boundTTL(h.Ttl)
		}
	}
	if s := negativeSOA(m); s != nil && len(a.addrs)+len(a.services) == 0 {
		a.boundTTL(min(s.Hdr.Ttl, s.Minttl))
	} else if end != q.name && len(a.addrs)+len(a.services) == 0 && m.Rcode == dns.RcodeSuccess {
		a.alias = end
	}
	if len(a.services) > 0 {
		a.glue = glueAddrs(m.Extra)
	}
	if a.bad > 1 {
		a.err = fmt.Errorf("%w, and %d more records like this", a.err, a.bad-1)
	}
	return a
}

// followAliases follows the CNAMEs of an answer and returns the names on the way, and the last one.
func followAliases(rrs []dns.RR, name string) (chain map[string]bool, end string, err error) {
	next := make(map[string]string)
	for _, rr := range rrs {
		if c, ok := rr.(*dns.CNAME); ok && c.Hdr.Class == dns.ClassINET {
			next[strings.ToLower(c.Hdr.Name)] = strings.ToLower(c.Target)
		}
	}
	chain = map[string]bool{name: true}
	for end = name; next[end] != ""; {
		end = next[end]
		if chain[end] {
			return chain, end, fmt.Errorf("%s is an alias of itself", name)
		}
		if chain[end] = true; len(chain) > maxAliases+1 {
			return chain, end, fmt.Errorf("%s has more than %d aliases in a row", name, maxAliases)
		}
	}
	return chain, end, nil
}

// addRecord adds a record, if a peer can be dialled by it.
func (a *answer) addRecord(rr dns.RR) {
	switch rr := rr.(type) {
	case *dns.A, *dns.AAAA:
		ip, ok := recordAddr(rr)
		if !ok {
			a.skipRecord(rr)
			return
		}
		a.addrs = append(a.addrs, ip)
	case *dns.SRV:
		s := service{strings.ToLower(rr.Target), rr.Port, rr.Priority, rr.Weight}
		if s.target == "." {
			return // the service is not offered here, RFC 2782
		}
		if err := checkName(s.target); err != nil || s.port == 0 {
			a.skipRecord(rr)
			return
		}
		a.services = append(a.services, s)
	}
}

// skipRecord leaves a record out.
func (a *answer) skipRecord(rr dns.RR) {
	if a.bad++; a.err == nil {
		a.err = fmt.Errorf("record %q: no peer can be dialled at this address", rr)
	}
}

// boundTTL notes how long a record may be kept.
func (a *answer) boundTTL(seconds uint32) {
	if d := time.Duration(min(seconds, 1<<31-1)) * time.Second; d > 0 && (a.ttl == 0 || d < a.ttl) {
		a.ttl = d
	}
}

// glueAddrs collects the addresses of an additional section.
func glueAddrs(rrs []dns.RR) map[string][]netip.Addr {
	all := make(map[string][]netip.Addr)
	for _, rr := range rrs {
		if ip, ok := recordAddr(rr); ok && rr.Header().Class == dns.ClassINET {
			name := strings.ToLower(rr.Header().Name)
			all[name] = append(all[name], ip)
		}
	}
	return all
}

// recordAddr returns the address of an A or AAAA record, and false if no peer can be dialled at this address.
func recordAddr(rr dns.RR) (netip.Addr, bool) {
	var ip netip.Addr
	switch rr := rr.(type) {
	case *dns.A:
		ip, _ = netip.AddrFromSlice(rr.A)
	case *dns.AAAA:
		ip, _ = netip.AddrFromSlice(rr.AAAA)
	}
	ip = ip.Unmap()
	bad := !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() && ip.Is6() ||
		ip == netip.AddrFrom4([4]byte{255, 255, 255, 255})
	return ip, !bad
}
