package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// subject is a transport under the contract: two nodes of it, and an address to listen on at the first.
type subject struct {
	here, there Transport
	addr        string
	secured     bool
}

func subjects(t *testing.T) map[string]subject {
	t.Helper()
	a, mem := authority(t), NewMemory()
	tcp := func(here, there Security) subject {
		return subject{TCP{here}, TCP{there}, "127.0.0.1:0", here != nil}
	}
	return map[string]subject{
		"memory": {mem.Host("here"), mem.Host("there"), "here:0", false},
		"tcp":    tcp(nil, nil),
		"tls":    tcp(a.node(t, "here", time.Hour), a.node(t, "there", time.Hour)),
		"psk":    tcp(psk(t, key(1)), psk(t, key(1))),
	}
}

// TestTransportsKeepTheirContract runs each rule on each transport.
func TestTransportsKeepTheirContract(t *testing.T) {
	for name, s := range subjects(t) {
		t.Run(name, func(t *testing.T) {
			for rule, check := range map[string]func(*testing.T, subject){
				"carries bytes both ways at once":                    carries,
				"delivers what was written before a close, then EOF": deliversBeforeClose,
				"ends reads and writes at their deadline":            keepsDeadlines,
				"reports an abrupt close to the other side":          reportsAbruptClose,
				"unblocks a read when it is closed":                  closeUnblocksRead,
				"unblocks a write when it is closed":                 closeUnblocksWrite,
				"unblocks accept when the listener is closed":        closeUnblocksAccept,
				"returns refused where no process listens any more":  returnsRefused,
				"gives up a dial with its context":                   givesUpDial,
				"gives up a handshake with its context":              givesUpHandshake,
				"reads nothing from who did not shake hands":         readsNothingUnproven,
			} {
				t.Run(rule, func(t *testing.T) { check(t, s) })
			}
		})
	}
}

// limit is the context of one rule.
func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func listen(t *testing.T, s subject) net.Listener {
	t.Helper()
	l, err := s.here.Listen(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// open returns both ends of a stream.
func open(t *testing.T, s subject) (server, client Conn) {
	t.Helper()
	ctx, l := limit(t), listen(t, s)
	done := make(chan error, 1)
	go func() {
		raw, err := l.Accept()
		if err == nil {
			server, err = s.here.Secure(ctx, raw)
		}
		done <- err
	}()
	client, err := s.there.Dial(ctx, l.Addr().String())
	if err = errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return server, client
}

// within checks that something ends soon.
func within(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not end", what)
		return nil
	}
}

func carries(t *testing.T, s subject) {
	server, client := open(t, s)
	exchange(t, pair{client: client, server: server})
}

func deliversBeforeClose(t *testing.T, s subject) {
	server, client := open(t, s)
	sent := bytes.Repeat([]byte("the end "), 5000)
	for _, err := range []error{func() error { _, err := client.Write(sent); return err }(), client.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []byte
	err := within(t, "reading", func() (err error) { got, err = io.ReadAll(server); return err })
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came, then %v", len(got), len(sent), err)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

func keepsDeadlines(t *testing.T, s subject) {
	server, client := open(t, s)
	if err := server.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	read := func() error { _, err := io.ReadFull(server, make([]byte, 2)); return err }
	if err := within(t, "a read", read); !isTimeout(err) {
		t.Errorf("a read past its deadline: %v, want a timeout", err)
	}
	_ = server.SetReadDeadline(time.Time{})
	if _, err := client.Write([]byte("on")); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "a read", read); err != nil {
		t.Errorf("a read after its deadline was taken back: %v", err)
	}
	_ = client.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	if err := within(t, "writing to who does not read", fill(client)); !isTimeout(err) {
		t.Errorf("a write past its deadline: %v, want a timeout", err)
	}
}

// fill writes until that fails.
func fill(c Conn) func() error {
	return func() error {
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	}
}

func reportsAbruptClose(t *testing.T, s subject) {
	server, client := open(t, s)
	if _, err := client.Write([]byte("never read")); err != nil {
		t.Fatal(err)
	}
	_ = server.Close()
	if err := within(t, "writing", fill(client)); err == nil || isTimeout(err) {
		t.Errorf("a write to a closed stream: %v", err)
	}
	if err := within(t, "reading", func() error { _, err := client.Read(make([]byte, 1)); return err }); err == nil || isTimeout(err) {
		t.Errorf("a read from a closed stream: %v", err)
	}
}

func closeUnblocksRead(t *testing.T, s subject) {
	server, _ := open(t, s)
	begun := make(chan struct{})
	go func() {
		<-begun
		_ = server.Close()
	}()
	err := within(t, "the read", func() error {
		close(begun)
		_, err := server.Read(make([]byte, 1))
		return err
	})
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read = %v, want net.ErrClosed", err)
	}
}

func closeUnblocksWrite(t *testing.T, s subject) {
	_, client := open(t, s)
	begun := make(chan struct{})
	go func() {
		<-begun
		_ = client.Close()
	}()
	err := within(t, "the write", func() error {
		close(begun)
		return fill(client)()
	})
	if err == nil || isTimeout(err) {
		t.Errorf("Write = %v", err)
	}
}

func closeUnblocksAccept(t *testing.T, s subject) {
	l := listen(t, s)
	begun := make(chan struct{})
	go func() {
		<-begun
		_ = l.Close()
	}()
	err := within(t, "accepting", func() error {
		close(begun)
		_, err := l.Accept()
		return err
	})
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v, want net.ErrClosed", err)
	}
}

func returnsRefused(t *testing.T, s subject) {
	l := listen(t, s)
	_ = l.Close()
	if _, err := s.there.Dial(limit(t), l.Addr().String()); !errors.Is(err, ErrRefused) {
		t.Errorf("Dial = %v, want ErrRefused", err)
	}
}

func givesUpDial(t *testing.T, s subject) {
	l := listen(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := within(t, "the dial", func() error { _, err := s.there.Dial(ctx, l.Addr().String()); return err })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Dial = %v, want the context's error", err)
	}
}

// givesUpHandshake dials where the kernel accepts and the process does not, as when it is stopped.
func givesUpHandshake(t *testing.T, s subject) {
	l := listen(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := within(t, "the dial", func() error {
		c, err := s.there.Dial(ctx, l.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err
	})
	if _, memory := l.(*memoryListener); (s.secured || memory) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial = %v, want the deadline", err)
	}
}

func readsNothingUnproven(t *testing.T, s subject) {
	if !s.secured {
		t.Skip("there is no handshake")
	}
	l, ctx := listen(t, s), limit(t)
	raw, err := (TCP{}).Dial(ctx, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Write(bytes.Repeat([]byte("let me in "), 100)); err != nil {
		t.Fatal(err)
	}
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := s.here.Secure(ctx, in); !errors.Is(err, ErrHandshake) || c != nil {
		t.Errorf("Secure = %v, %v, want ErrHandshake and no stream", c, err)
	}
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the raw stream was left open: %v", err)
	}
	server := listen(t, s)
	done := make(chan struct{})
	defer func() { _ = server.Close(); <-done }()
	go func() {
		defer close(done)
		if in, err := server.Accept(); err == nil {
			_, _ = in.Write(bytes.Repeat([]byte("come in "), 100))
			_, _ = io.Copy(io.Discard, in)
			_ = in.Close()
		}
	}()
	if c, err := s.there.Dial(ctx, server.Addr().String()); !errors.Is(err, ErrHandshake) || c != nil {
		t.Errorf("Dial = %v, %v, want ErrHandshake and no stream", c, err)
	}
}
