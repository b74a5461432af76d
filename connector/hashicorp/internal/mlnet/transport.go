package mlnet

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// maxInspected bounds the inbound streams that have not shown their label yet.
const maxInspected = 256

// Transport is memberlist's own, with a look at the first bytes of each stream: a caller of
// another cluster gets an answer instead of silence, and a stream that comes from ourselves is cut.
type Transport struct {
	*memberlist.NetTransport
	label    string
	timeout  time.Duration // for an inbound stream to show its label
	log      *Damper
	streams  chan net.Conn // inbound, of our cluster
	life     context.Context
	end      context.CancelFunc
	inspects chan struct{} // slots
	done     sync.WaitGroup
	once     sync.Once // of shutdown

	mu       sync.Mutex
	closed   bool
	open     map[net.Conn]struct{} // closed at shutdown
	dialled  map[tuple]*outConn
	attempts map[string]*attempt // by name
}

// attempt is one Connect: it carries its context through memberlist.Join, which knows none.
type attempt struct {
	ctx     context.Context // of the call that waits for it; not kept longer
	addr    netip.AddrPort
	dialErr error
	conn    *outConn // nil until dialled
}

func newTransport(nt *memberlist.NetTransport, label string, timeout time.Duration, log *Damper) *Transport {
	life, end := context.WithCancel(context.Background())
	t := &Transport{
		NetTransport: nt,
		label:        label,
		timeout:      timeout,
		log:          log,
		streams:      make(chan net.Conn),
		life:         life,
		end:          end,
		inspects:     make(chan struct{}, maxInspected),
		open:         make(map[net.Conn]struct{}),
		dialled:      make(map[tuple]*outConn),
		attempts:     make(map[string]*attempt),
	}
	t.done.Go(t.acceptStreams)
	return t
}

// StreamCh returns the inbound streams of our cluster.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// acceptStreams takes inbound streams until the transport has shut down.
func (t *Transport) acceptStreams() {
	for {
		select {
		case <-t.life.Done():
			return
		case c := <-t.NetTransport.StreamCh():
			select {
			case t.inspects <- struct{}{}:
				t.done.Go(func() {
					defer func() { <-t.inspects }()
					t.inspectLabel(c)
				})
			default:
				_ = c.Close()
				t.log.Warn("too many callers that send nothing, stream closed", "addr", c.RemoteAddr().String())
			}
		}
	}
}

// inspectLabel reads the label of an inbound stream and decides what becomes of it.
func (t *Transport) inspectLabel(raw net.Conn) {
	c, ok := t.trackConn(raw, nil)
	if !ok {
		return
	}
	_ = c.SetDeadline(time.Now().Add(t.timeout))
	br := bufio.NewReaderSize(raw, 512) // a header is at most 257 bytes
	label, err := peekLabel(br)
	switch {
	case t.fromSelf(raw):
		_ = c.Close()
	case err != nil && !errors.Is(err, errNoLabel):
		_ = c.Close() // a port scan, a health check, a caller that gave up
	case label != t.label:
		t.log.Warn("a node of another cluster called", "addr", raw.RemoteAddr().String(), "cluster", Quote(label))
		rejectStream(raw, t.label)
		_ = c.Close()
	default:
		select {
		case t.streams <- &inConn{Conn: c, r: br}:
		case <-t.life.Done():
			_ = c.Close()
		}
	}
}

// peekLabel returns the label that a stream starts with and leaves it unread.
func peekLabel(br *bufio.Reader) (string, error) {
	head, err := br.Peek(1)
	if err != nil {
		return "", err
	}
	if head[0] != labelByte {
		return "", errNoLabel
	}
	if head, err = br.Peek(2); err != nil {
		return "", err
	}
	if head, err = br.Peek(2 + int(head[1])); err != nil {
		return "", err
	}
	return string(head[2:]), nil
}

// fromSelf reports whether an inbound stream is the other end of one that we dialled, and
// notifies the dialling side.
func (t *Transport) fromSelf(c net.Conn) bool {
	key, ok := tupleOf(c)
	if !ok {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.dialled[key.reverse()]
	if out != nil {
		out.self.Store(true)
	}
	return out != nil
}

// registerAttempt registers an attempt under a name, by which dial finds it; end it by calling forget.
func (t *Transport) registerAttempt(name string, a *attempt) (forget func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempts[name] = a
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.attempts, name)
	}
}

// DialTimeout opens a stream to a member.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout opens a stream to a member, or to the address of an attempt: then
// the context of the attempt ends the dial and, later, the stream.
func (t *Transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	t.mu.Lock()
	try := t.attempts[a.Name]
	t.mu.Unlock()
	ctx, addr := t.life, a.Addr
	if try != nil {
		ctx, addr = try.ctx, try.addr.String()
	}
	conn, err := t.dialStream(ctx, addr, timeout)
	if try != nil {
		try.conn, try.dialErr = conn, err
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (t *Transport) dialStream(ctx context.Context, addr string, timeout time.Duration) (*outConn, error) {
	d := net.Dialer{Timeout: timeout}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	out := &outConn{own: t.label}
	c, ok := t.trackConn(raw, out)
	if !ok {
		return nil, net.ErrClosed
	}
	out.Conn = c
	out.release = context.AfterFunc(ctx, func() { _ = c.Close() })
	return out, nil
}

// trackConn makes sure that a connection is closed at shutdown; it closes one that comes too late. Those
// that we dialled (out is not nil) can be recognised when they come in again.
func (t *Transport) trackConn(raw net.Conn, out *outConn) (*tracked, bool) {
	key, isTCP := tupleOf(raw)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		_ = raw.Close()
		return nil, false
	}
	t.open[raw] = struct{}{}
	if out != nil && isTCP {
		t.dialled[key] = out
	}
	return &tracked{Conn: raw, forget: func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.open, raw)
		if out != nil && t.dialled[key] == out {
			delete(t.dialled, key)
		}
	}}, true
}

// Shutdown closes the listeners and every stream, and waits for our goroutines.
func (t *Transport) Shutdown() error {
	t.once.Do(t.shutdown)
	return nil
}

func (t *Transport) shutdown() {
	var drain sync.WaitGroup
	stop := make(chan struct{})
	drain.Go(func() { // the listeners may still hand over a packet that has no reader
		for {
			select {
			case <-t.NetTransport.PacketCh():
			case <-stop:
				return
			}
		}
	})
	_ = t.NetTransport.Shutdown() // always nil
	close(stop)
	drain.Wait()

	t.end()
	t.mu.Lock()
	t.closed = true
	for c := range t.open {
		_ = c.Close()
	}
	t.mu.Unlock()
	t.done.Wait()
}
