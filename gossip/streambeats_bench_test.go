//go:build unix

package gossip

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

// BenchmarkBeatsDuringStreamCopy copies 64 MiB again and again from one member to another, and reports how late the heartbeats of the link
// between the two come meanwhile, and how late they come in 5 s without copies: the time between two of them beyond Tuning.Heartbeat,
// at the 99th percentile. Give it 10 s (-benchtime 10s) for a thousand heartbeats. Up to 12 ms are the tick of the core.
func BenchmarkBeatsDuringStreamCopy(b *testing.B) {
	for name, transports := range map[string]func(*testing.B) pair{"plain": plainPair, "tls": tlsPair, "psk": pskPair} {
		b.Run(name, func(b *testing.B) {
			t := DefaultTuning()
			t.Heartbeat = 50 * time.Millisecond
			p, arrivals := transports(b), &arrivals{}
			for i := range p {
				p[i] = arrivalsTransport{p[i], arrivals}
			}
			nodes := startPair(b, p, t)
			l, err := nodes[0].Listen("copy")
			if err != nil {
				b.Fatal(err)
			}
			e := listenerEnds(b, l, func(string) (net.Conn, error) { return nodes[1].Dial(context.Background(), "a", "copy") })
			time.Sleep(time.Second) // what follows a join is over
			arrivals.takeGaps()
			time.Sleep(5 * time.Second)
			idle := latest(b, arrivals.takeGaps(), t.Heartbeat)
			b.SetBytes(copySize)
			for b.Loop() {
				e.copyOnce(b)
			}
			b.ReportMetric(latest(b, arrivals.takeGaps(), t.Heartbeat), "ms-late-p99")
			b.ReportMetric(idle, "ms-late-p99-idle")
		})
	}
}

// latest returns by how many milliseconds gaps exceed the heartbeat, at the 99th percentile.
func latest(b *testing.B, gaps []time.Duration, heartbeat time.Duration) float64 {
	if len(gaps) == 0 {
		b.Fatal("no heartbeats came")
	}
	slices.Sort(gaps)
	return float64((gaps[len(gaps)*99/100] - heartbeat).Microseconds()) / 1000
}

// arrivals are the times between two reads of each connection. Reads within a quarter of a heartbeat count as one. Connections that
// brought more than a link does are those of copies, and do not count.
type arrivals struct {
	mu    sync.Mutex
	conns []*arrivalsConn
}

// arrivalsTransport notes when its connections are read from.
type arrivalsTransport struct {
	transport.Transport
	arrivals *arrivals
}

type arrivalsConn struct {
	transport.Conn
	arrivals *arrivals
	last     time.Time
	bytes    int
	gaps     []time.Duration
}

func (t arrivalsTransport) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	return t.arrivals.add(t.Transport.Dial(ctx, addr))
}

func (t arrivalsTransport) Secure(ctx context.Context, raw net.Conn) (transport.Conn, error) {
	return t.arrivals.add(t.Transport.Secure(ctx, raw))
}

func (a *arrivals) add(c transport.Conn, err error) (transport.Conn, error) {
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	conn := &arrivalsConn{Conn: c, arrivals: a}
	a.conns = append(a.conns, conn)
	return conn, nil
}

func (c *arrivalsConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.bytes > copySize/2 {
		return n, err
	}
	c.arrivals.mu.Lock()
	defer c.arrivals.mu.Unlock()
	c.bytes += n
	if now := time.Now(); now.Sub(c.last) > 10*time.Millisecond {
		if !c.last.IsZero() {
			c.gaps = append(c.gaps, now.Sub(c.last))
		}
		c.last = now
	}
	return n, err
}

// takeGaps returns the gaps of the links since the last call.
func (a *arrivals) takeGaps() (gaps []time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.conns {
		if c.bytes < copySize/64 {
			gaps = append(gaps, c.gaps...)
		}
		c.gaps = nil
	}
	return gaps
}
