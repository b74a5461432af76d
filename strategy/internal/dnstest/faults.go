package dnstest

import (
	"time"

	"github.com/miekg/dns"
)

// Query is a question that came.
type Query struct {
	Msg     *dns.Msg
	Answer  *dns.Msg        // the good answer, in full
	Good    []byte          // the good answer, cut to what fits into a datagram if it came over UDP
	Network string          // "udp" or "tcp"
	Done    <-chan struct{} // closed when the server ends
}

// Fault returns the messages to send instead of the good answer. None is silence over UDP and the end of the
// connection over TCP.
type Fault func(Query) [][]byte

// Pack returns the bytes of a message as they would be sent: over UDP cut to what the query takes.
func (q Query) Pack(m *dns.Msg) []byte {
	m = m.Copy()
	m.Compress = true
	if q.Network == "udp" {
		size := dns.MinMsgSize
		if opt := q.Msg.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		m.Truncate(size)
	}
	raw, err := m.Pack()
	if err != nil {
		panic(err) // the records of the test cannot be sent
	}
	return raw
}

// Code answers with a response code, such as dns.RcodeServerFailure, and nothing else.
func Code(rcode int) Fault {
	return func(q Query) [][]byte {
		m := new(dns.Msg)
		m.SetRcode(q.Msg, rcode)
		return [][]byte{q.Pack(m)}
	}
}

// Drop never answers, and cuts connections.
func Drop(Query) [][]byte { return nil }

// Hang never answers, over TCP neither: the connection stays.
func Hang(q Query) [][]byte {
	<-q.Done
	return nil
}

// Slow answers late.
func Slow(d time.Duration) Fault {
	return func(q Query) [][]byte {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return [][]byte{q.Good}
		case <-q.Done:
			return nil
		}
	}
}

// Truncated answers over UDP with the first n records and the mark that there are more, and over TCP those of tcp; nil
// means the good answer.
func Truncated(n int, tcp Fault) Fault {
	return func(q Query) [][]byte {
		if q.Network == "tcp" {
			if tcp == nil {
				return [][]byte{q.Good}
			}
			return tcp(q)
		}
		m := q.Answer.Copy()
		m.Truncated, m.Answer, m.Extra = true, m.Answer[:min(n, len(m.Answer))], nil
		raw, err := m.Pack()
		if err != nil {
			panic(err) // the records of the test cannot be sent
		}
		return [][]byte{raw}
	}
}

// Changed answers with the good answer, changed.
func Changed(change func(*dns.Msg)) Fault {
	return func(q Query) [][]byte {
		m := q.Answer.Copy()
		change(m)
		return [][]byte{q.Pack(m)}
	}
}

// WrongID answers with the ID of another query.
func WrongID(q Query) [][]byte { return Changed(func(m *dns.Msg) { m.Id++ })(q) }

// WrongQuestion answers another question than the one asked.
func WrongQuestion(q Query) [][]byte {
	return Changed(func(m *dns.Msg) { m.Question[0].Name = "other.test." })(q)
}

// NoGlue leaves the additional section empty.
func NoGlue(q Query) [][]byte { return Changed(func(m *dns.Msg) { m.Extra = nil })(q) }

// Bytes answers with these messages, whatever they are. The first two bytes of each become the ID of the query if
// there are as many.
func Bytes(messages ...[]byte) Fault {
	return func(q Query) [][]byte {
		var all [][]byte
		for _, m := range messages {
			m = append([]byte(nil), m...)
			if len(m) >= 2 {
				m[0], m[1] = byte(q.Msg.Id>>8), byte(q.Msg.Id)
			}
			all = append(all, m)
		}
		return all
	}
}

// Cut answers with the good answer, of which only the first n bytes arrive.
func Cut(n int) Fault {
	return func(q Query) [][]byte { return [][]byte{q.Good[:min(n, len(q.Good))]} }
}
