package kube

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo starts a server that sends every line back, and returns its address.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

// ask sends a line and waits for its return.
func ask(c net.Conn, patience time.Duration) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return err
	}
	_, err := bufio.NewReader(c).ReadString('\n')
	return err
}

func TestTheProxyForwardsThenFailsAsAskedTo(t *testing.T) {
	p := NewProxy(t, echo(t))
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	one, two := dial(), dial()
	for _, c := range []net.Conn{one, two} {
		if err := ask(c, 10*time.Second); err != nil {
			t.Fatalf("a good connection: %v", err)
		}
	}
	if got := p.Connections(); got != 2 {
		t.Errorf("Connections() = %d, want 2", got)
	}
	p.Swallow()
	if err := ask(one, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent connection gave %v, want nothing", err)
	}
	if got := p.Swallowed(); got != 6 {
		t.Errorf("Swallowed() = %d, want 6", got)
	}
	if err := ask(dial(), 10*time.Second); err != nil {
		t.Errorf("a new connection beside silent ones: %v", err)
	}
	p.Cut()
	if err := ask(one, 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection that was cut gave %v, want its end", err)
	}
	p.Refuse(true)
	if err := ask(dial(), 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a refused connection gave %v, want its end", err)
	}
	p.Refuse(false)
	if err := ask(dial(), 10*time.Second); err != nil {
		t.Errorf("a connection afterwards: %v", err)
	}
}

func TestTheProxyHidesTheEndOfTheServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := NewProxy(t, l.Addr().String())
	near, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write([]byte("x")); err != nil { // so that both sides are joined
		t.Fatal(err)
	}
	if _, err := io.ReadFull(near, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.Swallow()
	far.Close()
	_ = near.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the server has ended, and Read = %v, want nothing", err)
	}
}
