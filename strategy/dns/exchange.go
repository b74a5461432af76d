package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/strategy"
	"github.com/miekg/dns"
)

const (
	tryTimeout  = 2 * time.Second // of one try with one server
	rounds      = 3               // tries with a server that does not answer, as time allows
	ednsSize    = 1232            // bytes of a datagram that passes every network whole
	maxDatagram = 4096
	maxParallel = 16 // questions under way at once
)

// question is what a server is asked.
type question struct {
	name string // complete, in lower case
	typ  uint16
}

func (q question) String() string { return q.name + " " + dns.TypeToString[q.typ] }

// client asks servers, in their order until one answers. It serves one lookup.
type client struct {
	servers []string
	dial    strategy.DialFunc
	slots   chan struct{} // one for each question under way

	mu     sync.Mutex
	silent map[string]bool // servers that let a try go by without an answer
}

func newClient(servers []string, dial strategy.DialFunc) *client {
	return &client{servers: servers, dial: dial, slots: make(chan struct{}, maxParallel), silent: make(map[string]bool)}
}

// orderServers returns the servers, the silent ones last: questions that follow from an answer
// must not wait for a dead server as often as there are of them.
func (c *client) orderServers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	servers := slices.Clone(c.servers)
	slices.SortStableFunc(servers, func(a, b string) int {
		switch {
		case c.silent[a] == c.silent[b]:
			return 0
		case c.silent[b]:
			return -1
		}
		return 1
	})
	return servers
}

func (c *client) wasSilent(server string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent[server] = true
}

// askServers asks one server after the other, and those that were silent again, until ctx ends. Without an error the
// message is the whole answer: records, or none, or that the name does not exist. With an error
// it is a part of the answer, or nil.
func (c *client) askServers(ctx context.Context, q question) (*dns.Msg, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("ask for %s: %w", q, ctx.Err())
	}
	var part *dns.Msg
	servers := c.orderServers()
	failed := make([]error, len(servers))
	for round := range rounds {
		for i, server := range servers {
			if ctx.Err() != nil || round > 0 && !isTimeout(failed[i]) {
				continue
			}
			m, err := c.tryServer(ctx, server, q)
			if err == nil {
				return m, nil
			}
			if part == nil {
				part = m
			}
			if failed[i] = fmt.Errorf("%s: %w", server, err); isTimeout(err) {
				c.wasSilent(server)
			}
		}
	}
	if err := errors.Join(failed...); err != nil {
		return part, &askError{q, failed}
	}
	return part, fmt.Errorf("ask for %s: %w", q, ctx.Err())
}

// askError holds the outcome of a question at each server.
type askError struct {
	question question
	failed   []error // nil for a server that there was no time for
}

func (e *askError) Error() string {
	var all []string
	for _, err := range e.failed {
		if err != nil {
			all = append(all, err.Error())
		}
	}
	return fmt.Sprintf("ask for %v: %s", e.question, strings.Join(all, "; "))
}

func (e *askError) Unwrap() []error { return e.failed }

func isTimeout(err error) bool {
	var e net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) && e.Timeout()
}

// tryServer asks one server, over UDP and, where the answer does not fit in a datagram, over TCP.
func (c *client) tryServer(ctx context.Context, server string, q question) (*dns.Msg, error) {
	m, err := c.exchangeMessages(ctx, "udp", server, newQuery(q, true))
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeBadVers) {
		m, err = c.exchangeMessages(ctx, "udp", server, newQuery(q, false)) // of before EDNS
	}
	if err != nil {
		return nil, err
	}
	if err := answerError(m); err != nil {
		return nil, err
	}
	if !m.Truncated {
		return m, nil
	}
	whole, err := c.exchangeMessages(ctx, "tcp", server, newQuery(q, true))
	if err == nil {
		err = answerError(whole)
	}
	if err == nil && whole.Truncated {
		m, err = whole, errors.New("cut short there too")
	}
	if err != nil {
		return m, fmt.Errorf("the answer is truncated, and over TCP: %w", err)
	}
	return whole, nil
}

// newQuery makes the message that asks a question.
func newQuery(q question, edns bool) *dns.Msg {
	m := new(dns.Msg)
	m.Id = dns.Id()
	m.RecursionDesired = true
	m.Question = []dns.Question{{Name: q.name, Qtype: q.typ, Qclass: dns.ClassINET}}
	if edns {
		m.SetEdns0(ednsSize, false)
	}
	return m
}

// exchangeMessages sends a query and waits for the answer to it, for as long as tryTimeout.
func (c *client) exchangeMessages(ctx context.Context, network, server string, query *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	raw, err := query.Pack()
	if err != nil {
		return nil, err
	}
	conn, err := c.dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // all that was wanted has been read
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // a closed one needs none
	defer stop()
	if network == "tcp" {
		raw = append(binary.BigEndian.AppendUint16(nil, uint16(len(raw))), raw...) //nolint:gosec // a question is short
	}
	if _, err := conn.Write(raw); err != nil {
		return nil, err
	}
	if network == "tcp" {
		return receiveStream(conn, query)
	}
	return receiveDatagram(conn, query)
}

// receiveDatagram reads until the answer comes. Others may be late, of an earlier try, or forged.
func receiveDatagram(conn net.Conn, query *dns.Msg) (*dns.Msg, error) {
	buf := make([]byte, maxDatagram)
	var strange error
	for {
		n, err := conn.Read(buf)
		if err != nil {
			if isTimeout(err) && strange != nil {
				return nil, fmt.Errorf("no answer, but something else: %w: %w", strange, err)
			}
			return nil, err
		}
		m, err := decodeAnswer(buf[:n], query)
		if !errors.Is(err, errMismatch) {
			return m, err
		}
		strange = err
	}
}

func receiveStream(conn net.Conn, query *dns.Msg) (*dns.Msg, error) {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:])) // 64 KiB at most
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, err
	}
	return decodeAnswer(buf, query)
}
