package transport

import "syscall"

// tcpThinLinearTimeouts is TCP_THIN_LINEAR_TIMEOUTS of linux/tcp.h: a packet that is lost again and again is sent six times at the same
// interval before the interval doubles, if fewer than four packets are on their way.
const tcpThinLinearTimeouts = 16

// keepThinStreamsFast makes a socket, and those that a listener accepts from it, resend lost packets of a thin stream without a backoff.
// Links carry a heartbeat a second: at 20 % loss the doubling intervals (0.2, 0.4, 0.8, 1.6, 3.2 s) hold one up for longer than a link may be
// silent twice an hour. A kernel that does not have the option works without it, and one whose congestion control is bbr ignores it.
func keepThinStreamsFast(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpThinLinearTimeouts, 1)
	})
}
