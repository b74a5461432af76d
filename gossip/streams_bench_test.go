package gossip

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/goconvoke/convoke/gossip/transport"
)

// BenchmarkStreamCopy copies 64 MiB from one member to another, beside the same copy over a plain TCP connection and, with TLS, over
// one of crypto/tls: compare the MB/s of each pair.
func BenchmarkStreamCopy(b *testing.B) {
	const size = 64 << 20
	for _, c := range []struct {
		name string
		dial func(b *testing.B) (dial func() net.Conn, accept func() net.Conn)
	}{
		{"tcp", plainPair},
		{"stream", streamPair},
	} {
		b.Run(c.name, func(b *testing.B) {
			dial, accept := c.dial(b)
			b.SetBytes(size)
			for b.Loop() {
				done := make(chan struct{})
				go func() {
					defer close(done)
					in := accept()
					defer in.Close()
					_, _ = io.Copy(io.Discard, in)
				}()
				out := dial()
				buf := make([]byte, 64<<10)
				for range size / len(buf) {
					if _, err := out.Write(buf); err != nil {
						b.Fatal(err)
					}
				}
				_ = out.Close()
				<-done
			}
		})
	}
}

func plainPair(b *testing.B) (func() net.Conn, func() net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	return func() net.Conn {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			return c
		}, func() net.Conn {
			c, _ := l.Accept()
			return c
		}
}

func streamPair(b *testing.B) (func() net.Conn, func() net.Conn) {
	var nodes []*Node
	for _, name := range []string{"a", "b"} {
		n, err := Start(Config{Name: name, ClusterID: "bench", Listen: "127.0.0.1:0", Transport: transport.TCP{}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(n.Stop)
		nodes = append(nodes, n)
	}
	if err := nodes[1].Join(b.Context(), nodes[0].Addr()); err != nil {
		b.Fatal(err)
	}
	l, err := nodes[0].Listen("copy")
	if err != nil {
		b.Fatal(err)
	}
	return func() net.Conn {
			c, err := nodes[1].Dial(context.Background(), "a", "copy")
			if err != nil {
				b.Fatal(err)
			}
			return c
		}, func() net.Conn {
			c, _ := l.Accept()
			return c
		}
}
