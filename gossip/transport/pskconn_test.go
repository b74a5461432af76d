package transport

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"testing"
)

// stuttering is a connection that, once on is set, brings a few bytes at a time and reaches its deadline before each read but every third.
type stuttering struct {
	net.Conn
	on    bool
	reads int
}

func (c *stuttering) Read(b []byte) (int, error) {
	if !c.on {
		return c.Conn.Read(b)
	}
	if c.reads++; c.reads%3 != 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Read(b[:min(len(b), 1000)])
}

// pskPair returns both ends of a stream, the second of which reads from what wrap makes of its connection.
func pskPair(t *testing.T, wrap func(net.Conn) net.Conn) (client, server Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	done := make(chan error, 1)
	go func() {
		var err error
		server, err = psk(t, key(1)).Server(t.Context(), wrap(b))
		done <- err
	}()
	client, err := psk(t, key(1)).Client(t.Context(), a)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestADeadlineInTheMiddleOfARecordLosesNothing(t *testing.T) {
	var in *stuttering
	client, server := pskPair(t, func(c net.Conn) net.Conn { in = &stuttering{Conn: c}; return in })
	in.on = true
	sent := make([]byte, 3*maxRecord+17)
	_, _ = rand.Read(sent)
	go func() { _, _ = client.Write(sent) }()
	var got []byte
	for deadlines, buf := 0, make([]byte, 5000); len(got) < len(sent); {
		n, err := server.Read(buf)
		if got = append(got, buf[:n]...); err == nil {
			continue
		}
		if deadlines++; !errors.Is(err, os.ErrDeadlineExceeded) || deadlines > 1000 {
			t.Fatalf("after %d bytes and %d deadlines: %v", len(got), deadlines, err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Error("other bytes came")
	}
}

// failing is a connection whose writes fail, once on is set, after a part of what was to be written.
type failing struct {
	net.Conn
	on bool
}

func (c *failing) Write(b []byte) (int, error) {
	if !c.on {
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:len(b)/2])
	return n, os.ErrDeadlineExceeded
}

func TestAfterAWriteThatFailedNothingMoreIsSent(t *testing.T) {
	var out *failing
	client, server := pskPair(t, func(c net.Conn) net.Conn { out = &failing{Conn: c}; return out })
	go func() { _, _ = io.Copy(io.Discard, client.(*pskConn).Conn) }()
	out.on = true
	if n, err := server.Write([]byte("first")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Write = %d, %v, want the deadline", n, err)
	}
	out.on = false
	if n, err := server.Write([]byte("second")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write = %d, %v after one that failed, want its error", n, err)
	}
}

func TestASmallReaderGetsARecordPieceByPiece(t *testing.T) {
	client, server := pskPair(t, func(c net.Conn) net.Conn { return c })
	go func() { _, _ = client.Write([]byte("abcdefgh")) }()
	var got []byte
	for buf := make([]byte, 3); len(got) < 8; {
		n, err := server.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
	if string(got) != "abcdefgh" || server.(*pskConn).record != nil {
		t.Errorf("got %q; the stream holds a buffer: %v", got, server.(*pskConn).record != nil)
	}
}
