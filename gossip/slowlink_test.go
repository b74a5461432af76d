package gossip

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

// narrow is a transport whose streams take some bytes a second each.
type narrow struct {
	transport.Transport
	rate int
}

func (n narrow) Secure(ctx context.Context, raw net.Conn) (transport.Conn, error) {
	c, err := n.Transport.Secure(ctx, raw)
	return narrowConn{c, n.rate}, err
}

func (n narrow) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	c, err := n.Transport.Dial(ctx, addr)
	return narrowConn{c, n.rate}, err
}

type narrowConn struct {
	transport.Conn
	rate int
}

func (c narrowConn) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(c.rate))
	return c.Conn.Write(b)
}

func TestASlowLinkIsSlowedAndNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys = 320
		mem := transport.NewMemory()
		tuning := DefaultTuning()
		tuning.Limits.Shared = 64 << 20
		var nodes []*Node
		for _, name := range []string{"a", "b"} {
			n, err := Start(Config{Name: name, ClusterID: "test", Listen: name + ":7946", Tuning: &tuning,
				Transport: narrow{mem.Host(name), 4 << 20}})
			must(t, err)
			t.Cleanup(n.Stop)
			nodes = append(nodes, n)
		}
		value := strings.Repeat("x", core.DefaultLimits().Value)
		for i := range keys {
			must(t, nodes[0].Shared().Set(t.Context(), fmt.Sprint("key", i), value))
		}
		var lost atomic.Int64
		go func() {
			for c := range nodes[0].Watch(t.Context()) {
				lost.Add(int64(len(c.Lost)))
			}
		}()
		must(t, nodes[1].Join(t.Context(), "a:7946"))
		settle(2 * time.Minute)
		got := 0
		for range nodes[1].Shared().All("key") {
			got++
		}
		if got != keys {
			t.Errorf("the newcomer has %d of %d keys after 2 minutes", got, keys)
		}
		if l := lost.Load(); l > 0 {
			t.Errorf("the newcomer was lost %d times", l)
		}
		if d := nodes[0].Counters().DialsFailed + nodes[1].Counters().Dialled; d > 3 {
			t.Errorf("%d dials", d)
		}
		wantUp(t, nodes, "a b")
	})
}
