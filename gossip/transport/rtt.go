package transport

import (
	"net"
	"time"
)

// RTT returns the smoothed round-trip time that the kernel measures on a stream, 0 if it is not known: on systems other than Linux, and
// for streams that are not TCP.
func RTT(c Conn) time.Duration {
	if t := tcpOf(c); t != nil {
		return roundTrip(t)
	}
	return 0
}

// tcpOf returns the TCP connection below a stream, nil if there is none.
func tcpOf(c Conn) *net.TCPConn {
	var raw net.Conn
	switch s := c.(type) {
	case plain:
		raw = s.Conn
	case *tlsConn:
		raw = s.NetConn()
	case *pskConn:
		raw = s.Conn
	}
	t, _ := raw.(*net.TCPConn)
	return t
}
