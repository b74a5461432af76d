package transport

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"
)

func TestTheKernelMeasuresTheRoundTripOfEveryKindOfStream(t *testing.T) {
	psk, err := NewPSK(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, security := range map[string]Security{"plain": nil, "psk": psk} {
		tcp := TCP{Security: security}
		l, err := tcp.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		served := make(chan struct{})
		go func() {
			defer close(served)
			serveOne(ctx, tcp, l)
		}()
		c, err := tcp.Dial(ctx, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if got := RTT(c); (got > 0) != (runtime.GOOS == "linux") || got > 10*time.Second {
			t.Errorf("%s: RTT = %v", name, got)
		}
		_ = c.Close()
		if got := RTT(c); got != 0 {
			t.Errorf("%s: RTT of a closed stream = %v, want 0", name, got)
		}
		<-served
		_ = l.Close()
		cancel()
	}
	if got := RTT(nil); got != 0 {
		t.Errorf("RTT of no stream = %v", got)
	}
}

// serveOne answers one stream with the byte that it gets.
func serveOne(ctx context.Context, tcp TCP, l net.Listener) {
	raw, err := l.Accept()
	if err != nil {
		return
	}
	c, err := tcp.Secure(ctx, raw)
	if err != nil {
		return
	}
	defer c.Close()
	b := make([]byte, 1)
	if _, err := c.Read(b); err == nil {
		_, _ = c.Write(b)
	}
	_, _ = c.Read(b) // until the other side closes
}
