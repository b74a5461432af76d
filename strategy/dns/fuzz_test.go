package dns

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/goconvoke/convoke/peer"
)

// canned is a connection to a server that answers every question with the same message, in which the ID and the type of
// the question are made right.
type canned struct {
	net.Conn
	raw     []byte
	stream  bool
	pending []byte
}

func (c *canned) Write(b []byte) (int, error) {
	n, answer := len(b), append([]byte(nil), c.raw...)
	if c.stream {
		b = b[2:] // the length
	}
	if len(answer) >= 2 {
		copy(answer, b[:2])
	}
	if typeAt := headerSize + len("\x05peers\x04test\x00"); len(answer) >= typeAt+2 && len(b) >= typeAt+2 {
		copy(answer[typeAt:], b[typeAt:typeAt+2])
	}
	if c.stream {
		answer = append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...) //nolint:gosec // at most 65535
	}
	c.pending = answer
	return n, nil
}

func (c *canned) Read(b []byte) (int, error) {
	if c.pending == nil {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, c.pending)
	if c.pending = c.pending[n:]; len(c.pending) == 0 || !c.stream {
		c.pending = nil
	}
	return n, nil
}

func (c *canned) Close() error                { return nil }
func (c *canned) SetDeadline(time.Time) error { return nil }

// An answer, whatever its bytes, neither panics nor yields a peer that no peer can be dialled by.
func FuzzAnswer(f *testing.F) {
	for _, records := range [][]string{
		nil, {"peers.test. 5 A 10.0.0.1", "peers.test. 5 A 10.0.0.2"}, {"peers.test. 0 AAAA fd00::1"},
		{"peers.test. 5 SRV 1 2 7946 a.test.", "peers.test. 5 SRV 1 2 7946 10-0-0-1.test."}, {"peers.test. 1 CNAME a.test.", "a.test. A 10.0.0.1"},
		{"peers.test. 1 CNAME peers.test."}, {"peers.test. 1 SRV 0 0 0 ."}, {"other.test. A 10.0.0.1"},
	} {
		m := new(miekg.Msg)
		m.SetQuestion("peers.test.", miekg.TypeA)
		m.Response, m.RecursionAvailable, m.Compress = true, true, true
		for _, text := range records {
			rr, err := miekg.NewRR(text)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		m.Extra = append(m.Extra, &miekg.A{Hdr: miekg.RR_Header{Name: "a.test.", Rrtype: miekg.TypeA, Class: miekg.ClassINET}, A: net.IPv4(10, 0, 0, 3)})
		raw, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)-3])
		truncated := append([]byte(nil), raw...)
		truncated[2] |= 2
		f.Add(truncated)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 65535 {
			return
		}
		dial := func(_ context.Context, network, _ string) (net.Conn, error) {
			return &canned{raw: raw, stream: network == "tcp"}, nil
		}
		for _, family := range []Family{AnyFamily, SameFamily} {
			l := lookupRun{client: newClient([]string{"192.0.2.53:53"}, dial), family: family}
			got := l.askAll(t.Context(), []subject{
				{addresses, "peers.test.", 1, false}, {services, "peers.test.", 0, true}, {serviceTargets, "peers.test.", 0, false},
			})
			seen := make(map[string]bool)
			for _, p := range got.peers {
				if addr, err := peer.Addr(p.Addr); err != nil || addr != p.Addr || seen[addr] {
					t.Errorf("peer %+v: address twice or not canonical (%q, %v)", p, addr, err)
				}
				seen[p.Addr] = true
			}
			if got.err != nil && got.err.Error() == "" || got.ttl < 0 {
				t.Errorf("error %q, ttl %v", got.err, got.ttl)
			}
			_ = fmt.Sprint(got.peers, got.err)
		}
	})
}
