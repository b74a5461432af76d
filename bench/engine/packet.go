package engine

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/bench/fabric"
)

// packetTransport is a memberlist.Transport over the fabric, for memberlist and serf.
type packetTransport struct {
	net      *fabric.Fabric
	self     int
	listener net.Listener
	packets  chan *memberlist.Packet
	streams  chan net.Conn
	stop     context.CancelFunc
	done     chan struct{}
}

// waiting is how many datagrams wait to be read, about what the kernel's buffer of 208 KiB holds of full ones. Further
// ones are lost, as there.
const waiting = 256

func newPacketTransport(f *fabric.Fabric, self int) *packetTransport {
	ctx, stop := context.WithCancel(context.Background())
	t := &packetTransport{
		net: f, self: self, listener: f.Listen(self),
		packets: make(chan *memberlist.Packet, waiting), streams: make(chan net.Conn),
		stop: stop, done: make(chan struct{}),
	}
	f.Receive(self, func(from int, b []byte) {
		select {
		case t.packets <- &memberlist.Packet{Buf: b, From: udpAddr(from), Timestamp: time.Now()}:
		default:
		}
	})
	go t.accept(ctx)
	return t
}

func udpAddr(i int) net.Addr { return &net.UDPAddr{IP: fabric.IP(i), Port: fabric.Port()} }

// accept hands streams to memberlist until the transport is shut down.
func (t *packetTransport) accept(ctx context.Context) {
	defer close(t.done)
	for {
		c, err := t.listener.Accept()
		if err != nil {
			return
		}
		select {
		case t.streams <- c:
		case <-ctx.Done():
			_ = c.Close()
			return
		}
	}
}

// FinalAdvertiseAddr returns the address in the fabric.
func (t *packetTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return fabric.IP(t.self), fabric.Port(), nil
}

// WriteTo sends a datagram.
func (t *packetTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := t.net.Index(addr)
	if err == nil {
		t.net.Send(t.self, to, b)
	}
	return time.Now(), err
}

// PacketCh is where datagrams arrive.
func (t *packetTransport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// DialTimeout opens a stream.
func (t *packetTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	to, err := t.net.Index(addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, err := t.net.Dial(ctx, t.self, to)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: udpAddr(to), Err: err}
	}
	return c, nil
}

// StreamCh is where streams arrive.
func (t *packetTransport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown ends the transport and waits for its goroutine.
func (t *packetTransport) Shutdown() error {
	t.stop()
	_ = t.listener.Close()
	<-t.done
	return nil
}
