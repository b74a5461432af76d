// Package dnstest is a DNS server for tests: it answers from records that the test gives it, and fails as it is set to. It
// listens on real sockets of the loopback interface, or in memory, where a testing/synctest bubble keeps its clock.
package dnstest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Server is a DNS server, over UDP and TCP. It has no records at first, so that no name exists. Its methods may be
// called at any time.
type Server struct {
	tb     testing.TB
	addr   string
	ctx    context.Context //nolint:containedctx // the life of the server
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	records []dns.RR
	names   map[string]bool // those that exist
	faults  []scripted
	asked   []string
}

// scripted is a fault and which questions it is for.
type scripted struct {
	name  string // "" means every one
	typ   uint16 // 0 means every one
	fault Fault
}

// Listen starts a server on a free port of 127.0.0.1. It ends with the test.
func Listen(tb testing.TB) *Server {
	tb.Helper()
	s := startServer(tb)
	udp, tcp := listenBoth(tb)
	s.addr = udp.LocalAddr().String()
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		messages := s.respond(q, w.LocalAddr().Network())
		if len(messages) == 0 {
			_ = w.Close() // of TCP; a UDP socket is the server's and stays open
		}
		for _, m := range messages {
			_, _ = w.Write(m) // the client may be gone
		}
	})
	servers := []*dns.Server{{PacketConn: udp, Handler: handler}, {Listener: tcp, Handler: handler}}
	for _, server := range servers {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		s.done.Go(func() { _ = server.ActivateAndServe() }) // it ends with the listener
		<-started
		tb.Cleanup(func() {
			s.cancel() // ends the handlers, for which Shutdown waits
			_ = server.Shutdown()
		})
	}
	return s
}

// listenBoth returns two listeners with one port number.
func listenBoth(tb testing.TB) (net.PacketConn, net.Listener) {
	tb.Helper()
	var failed error
	for range 20 {
		udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		tcp, err := net.Listen("tcp4", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp
		}
		failed = err
		udp.Close()
	}
	tb.Fatal(failed)
	return nil, nil
}

// InMemory starts a server that only [Server.Dial] leads to. It ends with the test.
func InMemory(tb testing.TB) *Server {
	s := startServer(tb)
	s.addr = "192.0.2.53:53"
	return s
}

func startServer(tb testing.TB) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{tb: tb, ctx: ctx, cancel: cancel}
	tb.Cleanup(func() { cancel(); s.done.Wait() })
	return s
}

// Addr returns the host:port of the server.
func (s *Server) Addr() string { return s.addr }

// Dial connects to the server in memory; network is "udp" or "tcp". Another address is that of a server that
// no server runs: there connecting succeeds over UDP, and nothing ever answers.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if addr != s.addr && network == "tcp" {
		return nil, fmt.Errorf("dial tcp %s: connection refused", addr)
	}
	mine, theirs := net.Pipe()
	s.done.Go(func() {
		defer mine.Close()
		stop := context.AfterFunc(s.ctx, func() { mine.Close() })
		defer stop()
		for s.serveQuery(mine, network, addr) {
		}
	})
	return theirs, nil
}

// serveQuery answers one query and reports whether the connection is good for another.
func (s *Server) serveQuery(conn net.Conn, network, addr string) bool {
	raw, err := readMessage(conn, network)
	q := new(dns.Msg)
	if err != nil || q.Unpack(raw) != nil {
		return false
	}
	if addr != s.addr {
		return true
	}
	messages := s.respond(q, network)
	for _, m := range messages {
		if network == "tcp" {
			m = append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...) //nolint:gosec // as miekg/dns does
		}
		if _, err := conn.Write(m); err != nil {
			return false
		}
	}
	return len(messages) > 0 || network == "udp"
}

func readMessage(conn net.Conn, network string) ([]byte, error) {
	if network == "udp" {
		buf := make([]byte, dns.MaxMsgSize)
		n, err := conn.Read(buf)
		return buf[:n], err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(conn, buf)
	return buf, err
}

// Records replaces the records by these, each as in a zone file: "peers.test. 5 A 10.0.0.1". A name without final dot
// gets one; one that another name ends in exists as well.
func (s *Server) Records(records ...string) {
	s.tb.Helper()
	var all []dns.RR
	names := make(map[string]bool)
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil || rr == nil {
			s.tb.Fatalf("record %q: %v", text, err)
		}
		rr.Header().Name = strings.ToLower(rr.Header().Name)
		all = append(all, rr)
		for name := rr.Header().Name; name != "" && name != "."; _, name, _ = strings.Cut(name, ".") {
			names[name] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.names = all, names
}

// Fault makes the server misbehave when it is asked for a name and type ("A", "SRV"; "" means every one), until
// [Server.ClearFaults]. The fault that was set last counts.
func (s *Server) Fault(name, typ string, f Fault) {
	if name != "" {
		name = dns.Fqdn(strings.ToLower(name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, scripted{name, dns.StringToType[typ], f})
}

// ClearFaults ends all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Asked returns the questions that came, the oldest first: "udp peers.test. A".
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// respond returns the messages to send for a query.
func (s *Server) respond(q *dns.Msg, network string) [][]byte {
	if len(q.Question) != 1 {
		return nil
	}
	name, typ := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	s.mu.Lock()
	s.asked = append(s.asked, fmt.Sprintf("%s %s %s", network, name, dns.TypeToString[typ]))
	fault := Fault(func(q Query) [][]byte { return [][]byte{q.Good} })
	for _, f := range s.faults {
		if (f.name == "" || f.name == name) && (f.typ == 0 || f.typ == typ) {
			fault = f.fault
		}
	}
	answer := s.goodAnswer(q, name, typ)
	s.mu.Unlock()
	query := Query{Msg: q, Answer: answer, Network: network, Done: s.ctx.Done()}
	query.Good = query.Pack(answer)
	return fault(query)
}

// goodAnswer makes the good answer to a question.
func (s *Server) goodAnswer(q *dns.Msg, name string, typ uint16) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q)
	m.Authoritative, m.RecursionAvailable, m.Compress = true, true, true
	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(opt.UDPSize(), false)
	}
	for range 16 { // aliases; a loop ends somewhere
		next := ""
		for _, rr := range s.records {
			if rr.Header().Name != name {
				continue
			}
			if c, ok := rr.(*dns.CNAME); ok && typ != dns.TypeCNAME {
				next = strings.ToLower(c.Target)
			} else if rr.Header().Rrtype != typ {
				continue
			}
			m.Answer = append(m.Answer, dns.Copy(rr))
		}
		if next == "" {
			break
		}
		name = next
	}
	if !s.names[name] {
		m.Rcode = dns.RcodeNameError
	}
	if last := len(m.Answer) - 1; last < 0 || m.Answer[last].Header().Rrtype != typ {
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 5}, Ns: ".", Mbox: ".", Minttl: 5}}
	}
	m.Extra = append(m.Extra, s.glueRecords(m.Answer)...)
	return m
}

// glueRecords returns the addresses of the targets of SRV records.
func (s *Server) glueRecords(answer []dns.RR) []dns.RR {
	targets := make(map[string]bool)
	for _, rr := range answer {
		if srv, ok := rr.(*dns.SRV); ok {
			targets[strings.ToLower(srv.Target)] = true
		}
	}
	var all []dns.RR
	for _, rr := range s.records {
		if t := rr.Header().Rrtype; (t == dns.TypeA || t == dns.TypeAAAA) && targets[rr.Header().Name] {
			all = append(all, dns.Copy(rr))
		}
	}
	return all
}
