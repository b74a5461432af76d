//go:build unix

package gossip

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

// copySize is how much one copy of the benchmarks carries.
const copySize = 64 << 20

// ends opens both ends of one connection after the other: accept returns the other end of what dial returned.
type ends struct{ dial, accept func() net.Conn }

// BenchmarkStreamCopy copies 64 MiB from one member to another, beside the same copy over a TCP connection and over one of crypto/tls with
// certificates on both sides: compare the MB/s of stream with those of tcp, of stream-tls and stream-psk with those of tls. On a machine
// that does other work too, compare the CPU time.
func BenchmarkStreamCopy(b *testing.B) {
	for _, c := range []struct {
		name string
		open func(b *testing.B) ends
	}{
		{"tcp", tcpEnds},
		{"stream", func(b *testing.B) ends { return streamEnds(b, plainPair(b)) }},
		{"tls", tlsEnds},
		{"stream-tls", func(b *testing.B) ends { return streamEnds(b, tlsPair(b)) }},
		{"stream-psk", func(b *testing.B) ends { return streamEnds(b, pskPair(b)) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := c.open(b)
			b.SetBytes(copySize)
			used := processTime()
			for b.Loop() {
				e.copyOnce(b)
			}
			b.ReportMetric(float64((processTime()-used).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// copyOnce opens a connection, sends copySize bytes, and returns when they were read.
func (e ends) copyOnce(b *testing.B) {
	done := make(chan int64)
	go func() {
		in := e.accept()
		defer in.Close()
		n, _ := io.Copy(io.Discard, in)
		done <- n
	}()
	out := e.dial()
	buf := make([]byte, 64<<10)
	for range copySize / len(buf) {
		if _, err := out.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
	_ = out.Close()
	if n := <-done; n != copySize {
		b.Fatalf("%d bytes came of %d", n, copySize)
	}
}

// listenerEnds opens connections to a listener.
func listenerEnds(b *testing.B, l net.Listener, dial func(addr string) (net.Conn, error)) ends {
	b.Cleanup(func() { _ = l.Close() })
	return ends{
		dial: func() net.Conn {
			c, err := dial(l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			return c
		},
		accept: func() net.Conn {
			c, err := l.Accept()
			if err != nil {
				b.Error(err)
			}
			return c
		},
	}
}

func tcpEnds(b *testing.B) ends {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return listenerEnds(b, l, func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) })
}

func tlsEnds(b *testing.B) ends {
	a := newAuthority(b)
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	der, key := a.issue(&x509.Certificate{
		SerialNumber: big.NewInt(3), DNSNames: []string{"a"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	})
	config := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, RootCAs: roots, ClientCAs: roots,
		ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "a",
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		b.Fatal(err)
	}
	return listenerEnds(b, l, func(addr string) (net.Conn, error) { return tls.Dial("tcp", addr, config) })
}

// pair is the transports of members a and b.
type pair [2]transport.Transport

func plainPair(*testing.B) pair { return pair{transport.TCP{}, transport.TCP{}} }

func tlsPair(b *testing.B) pair {
	a := newAuthority(b)
	return pair{transport.TCP{Security: a.node("a", time.Hour, a)}, transport.TCP{Security: a.node("b", time.Hour, a)}}
}

func pskPair(b *testing.B) pair {
	psk, err := transport.NewPSK(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		b.Fatal(err)
	}
	return pair{transport.TCP{Security: psk}, transport.TCP{Security: psk}}
}

// streamEnds opens streams from member b to member a.
func streamEnds(b *testing.B, p pair) ends {
	nodes := startPair(b, p, DefaultTuning())
	l, err := nodes[0].Listen("copy")
	if err != nil {
		b.Fatal(err)
	}
	return listenerEnds(b, l, func(string) (net.Conn, error) { return nodes[1].Dial(context.Background(), "a", "copy") })
}

func startPair(b *testing.B, p pair, t Tuning) (nodes [2]*Node) {
	for i, name := range []string{"a", "b"} {
		n, err := Start(Config{Name: name, ClusterID: "bench", Listen: "127.0.0.1:0", Transport: p[i], Tuning: &t})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(n.Stop)
		nodes[i] = n
	}
	if err := nodes[1].Join(b.Context(), nodes[0].Addr()); err != nil {
		b.Fatal(err)
	}
	return nodes
}
