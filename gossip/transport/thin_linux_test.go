package transport

import (
	"context"
	"net"
	"syscall"
	"testing"
)

func TestBothEndsOfATCPStreamResendWithoutABackoff(t *testing.T) {
	l, err := TCP{}.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := TCP{}.Dial(context.Background(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	for end, c := range map[string]net.Conn{"dialled": dialled.(plain).Conn, "accepted": accepted} {
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		on, optErr := 0, error(nil)
		err = raw.Control(func(fd uintptr) {
			on, optErr = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpThinLinearTimeouts)
		})
		if err != nil || optErr != nil || on != 1 {
			t.Errorf("%s: TCP_THIN_LINEAR_TIMEOUTS is %d (%v, %v), want 1", end, on, err, optErr)
		}
	}
}
