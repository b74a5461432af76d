package kubernetes

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/kubernetestest"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// breakableNetwork is a network that can be cut without notice: what is sent on connections of before is lost.
type breakableNetwork struct {
	dial strategy.DialFunc

	mu  sync.Mutex
	cut chan struct{} // closed when the connections so far are cut
}

// connect connects over the network.
func (c *breakableNetwork) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return &breakableConn{Conn: raw, cut: c.cut, closed: make(chan struct{})}, nil
}

// dropAll cuts all connections so far.
func (c *breakableNetwork) dropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.cut)
	c.cut = make(chan struct{})
}

type breakableConn struct {
	net.Conn
	cut, closed chan struct{}
	once        sync.Once
}

func (w *breakableConn) dead() bool {
	select {
	case <-w.cut:
		return true
	default:
		return false
	}
}

// Read returns what arrives, nothing once the wire is cut.
func (w *breakableConn) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if w.dead() {
		<-w.closed
		return 0, net.ErrClosed
	}
	return n, err
}

// Write sends, into nowhere once the wire is cut.
func (w *breakableConn) Write(p []byte) (int, error) {
	if w.dead() {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

// Close closes the connection.
func (w *breakableConn) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

func TestAConnectionThatDiedWithoutAWordIsFoundByPings(t *testing.T) {
	bubble(t, func(l *testBed) {
		c := &breakableNetwork{dial: l.pipe.Dial, cut: make(chan struct{})}
		l.dialBy(c.connect)
		l.put("s", "10.0.0.1")
		l.run()
		l.after(soon, "Set(10.0.0.1:7946)")
		c.dropAll()
		l.put("s", "10.0.0.2")
		time.Sleep(50 * time.Second) // 30 s of silence, 15 s for the ping, and the way back
		l.since = len(l.Calls())
		l.after(time.Minute, "Set(10.0.0.2:7946)")
	})
}

func TestAServerThatIsGoneIsFailed(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.run()
		l.after(soon, "Set(10.0.0.1:7946)")
		l.dialBy(func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("dial: connection reset by peer") // client-go would ask again ten times
		})
		l.Fault(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		l.CutWatches()
		calls := l.after(10*time.Minute, "Fail")
		if n := len(calls); n < 12 || n > 30 {
			t.Errorf("%d Fails in 10 min, want a backoff to 30..45 s: %v", n, calls)
		}
	})
}

func TestAnAnswerThatIsTooLargeIsRefused(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.Fault(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, strings.Repeat("x", 10*maxRefusal))
		})
		l.run()
		calls := l.after(soon, "Fail")
		if n := len(calls[0].Err.Error()); n > 2*maxRefusal {
			t.Errorf("an error of %d bytes, want at most %d", n, 2*maxRefusal)
		}
	})
	body := limitBody(io.NopCloser(strings.NewReader("1234")), 3)
	if _, err := io.ReadAll(body); err == nil || !strings.Contains(err.Error(), "larger than 3 bytes") {
		t.Errorf("error = %v, want that the body is too large", err)
	}
}

func TestWatchesThatEndAtOnceAreNotOpenedWithoutAPause(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		l.Fault(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("watch") {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"type": "BOOKMARK", "object": {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": {"resourceVersion": "9"}}}`)
				return
			}
			l.Serve(w, r)
		})
		l.run()
		l.after(5*time.Minute, "Set(10.0.0.1:7946)")
		if n := len(l.Requests()); n < 10 || n > 400 {
			t.Errorf("%d requests in 5 min, want one in 0.8 s at most", n)
		}
	})
}

func TestAPodWithoutTheNameOfTheModeIsLeftOutWithAHint(t *testing.T) {
	bubble(t, func(l *testBed) {
		named := kubernetestest.Endpoint("orders-0", "10.0.0.1")
		named["hostname"] = "orders-0"
		l.Put(kubernetestest.Slices, "shop", "s", kubernetestest.Slice("orders", 7946, named, kubernetestest.Endpoint("b", "10.0.0.2")))
		l.run("mode: hostname", "domain: corp.example")
		l.after(time.Hour, "Set(orders-0.orders.shop.svc.corp.example:7946)")
		if n := strings.Count(l.logs.String(), "endpoints without a name of this mode are left out"); n != 1 {
			t.Errorf("%d hints, want 1:\n%s", n, l.logs)
		}
	})
}

func TestADayOfRelistsUsesOneConnection(t *testing.T) {
	bubble(t, func(l *testBed) {
		l.put("s", "10.0.0.1")
		var dials atomic.Int32
		l.dialBy(func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return l.pipe.Dial(ctx, network, addr)
		})
		l.run("relist: 1m")
		time.Sleep(24 * time.Hour)
		if n := dials.Load(); n != 1 {
			t.Errorf("%d connections in a day of relists, want one that is used again", n)
		}
		if strategytest.Has(strategytest.Fail)(l.Calls()) {
			t.Error("a Fail in a day without a fault")
		}
	})
}
