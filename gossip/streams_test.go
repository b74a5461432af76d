package gossip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

// listen listens for a protocol until the test ends.
func listen(t *testing.T, n *Node, protocol string) net.Listener {
	t.Helper()
	l, err := n.Listen(protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// echo sends back what comes in.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}()
	}
}

func TestAStreamCarriesBytesBothWaysAndNamesItsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b", "c")
		l := listen(t, nodes[1], "echo")
		go echo(l)
		c, err := nodes[2].Dial(t.Context(), "b", "echo")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		data := make([]byte, 1<<20)
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		go func() { _, _ = c.Write(data) }()
		got := make([]byte, len(data))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read: %v, equal %v", err, bytes.Equal(got, data))
		}
		if a := c.RemoteAddr().(StreamAddr); a.Member != "b" || a.Network() != "gossip" || !strings.HasPrefix(a.Addr, "b:") {
			t.Errorf("remote address = %+v", a)
		}
		if a := c.LocalAddr().(StreamAddr); a.Member != "c" {
			t.Errorf("local address = %+v", a)
		}
		if a := l.Addr().(StreamAddr); a.Member != "b" || a.Addr != nodes[1].Addr() {
			t.Errorf("address of the listener = %+v", a)
		}
	})
}

func TestWhatTheAcceptorSendsFirstIsReadInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		l := listen(t, nodes[0], "greet")
		go func() {
			c, _ := l.Accept()
			_, _ = c.Write([]byte("hello, "))
			_, _ = c.Write([]byte("world"))
			_ = c.Close()
		}()
		c, err := nodes[1].Dial(t.Context(), "a", "greet")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(iotestOneByte{c})
		if string(got) != "hello, world" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	})
}

// iotestOneByte reads one byte at a time.
type iotestOneByte struct{ io.Reader }

func (r iotestOneByte) Read(b []byte) (int, error) { return r.Reader.Read(b[:1]) }

func TestDialReturnsWhyThereIsNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		for _, c := range []struct {
			member, protocol string
			want             error
		}{
			{"nemo", "echo", ErrUnknownMember},
			{"a", "echo", ErrNoListener},
			{"b", "echo", ErrNoListener}, // itself
		} {
			if _, err := nodes[1].Dial(t.Context(), c.member, c.protocol); !errors.Is(err, c.want) {
				t.Errorf("dial %s at %s: %v, want %v", c.protocol, c.member, err, c.want)
			}
		}
		for _, bad := range []string{"", "tab\t", strings.Repeat("x", 65)} {
			if _, err := nodes[1].Dial(t.Context(), "a", bad); err == nil || !strings.Contains(err.Error(), "1 to 64 bytes") {
				t.Errorf("dial %q: %v", bad, err)
			}
			if _, err := nodes[1].Listen(bad); err == nil {
				t.Errorf("listen %q: no error", bad)
			}
		}
		listen(t, nodes[1], "echo")
		if _, err := nodes[1].Listen("echo"); !errors.Is(err, ErrProtocolInUse) {
			t.Errorf("second listen: %v", err)
		}
		nodes[0].Stop()
		if _, err := nodes[1].Dial(t.Context(), "a", "echo"); !errors.Is(err, transport.ErrRefused) {
			t.Errorf("dial of a member that is down: %v", err)
		}
		if _, err := nodes[0].Listen("x"); !errors.Is(err, ErrStopped) {
			t.Errorf("listen on a node that has stopped: %v", err)
		}
	})
}

func TestAMemberWithoutStreamsIsNotDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		old := core.RecordDelta{Node: core.HashID("old"), ID: "old", Generation: 1, To: 1,
			Entries: []core.Entry{{Version: 1, Kind: core.KindMeta, Key: core.MetaAddr, Value: nodes[1].Addr()}}}
		for id := range nodes[0].links {
			_ = nodes[0].sendInput(t.Context(), core.Received{Link: id, Frame: &core.Delta{Records: []core.RecordDelta{old}}})
		}
		settle(time.Second)
		if _, err := nodes[0].Dial(t.Context(), "old", "echo"); !errors.Is(err, ErrNoStreams) {
			t.Errorf("dial = %v, want ErrNoStreams", err)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		a, err := Start(Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: network.Host("a"), MaxStreams: 3})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Stop()
		b := start(t, network, "b")
		must(t, b.Join(t.Context(), a.Addr()))
		l := listen(t, a, "hold")
		var open []net.Conn
		for range 3 {
			c, err := b.Dial(t.Context(), "a", "hold")
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
		if _, err := b.Dial(t.Context(), "a", "hold"); !errors.Is(err, ErrBusy) {
			t.Errorf("fourth stream: %v, want ErrBusy", err)
		}
		accepted, err := l.Accept()
		must(t, err)
		must(t, accepted.Close())
		must(t, accepted.Close()) // a second Close gives back nothing
		c, err := b.Dial(t.Context(), "a", "hold")
		must(t, err)
		if _, err := b.Dial(t.Context(), "a", "hold"); !errors.Is(err, ErrBusy) {
			t.Errorf("stream beyond the bound after one was closed twice: %v, want ErrBusy", err)
		}
		for _, c := range append(open, c) {
			must(t, c.Close())
		}
	})
}

func TestAStreamThatIsNotReadHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		listen(t, nodes[0], "stuck") // never accepted, never read
		stuck, err := nodes[1].Dial(t.Context(), "a", "stuck")
		must(t, err)
		var writer sync.WaitGroup
		writer.Go(func() {
			for {
				if _, err := stuck.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		})
		settle(time.Minute)
		wantUp(t, nodes, "a b")
		must(t, nodes[1].Set(t.Context(), "k", "v"))
		settle(time.Second)
		if v, _ := nodes[0].Get("b", "k"); v != "v" {
			t.Errorf("k = %q beside a stream that is stuck", v)
		}
		must(t, stuck.SetWriteDeadline(time.Now()))
		writer.Wait()
		must(t, stuck.Close())
	})
}

func TestTheEndOfANodeEndsItsStreamsAndListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		l := listen(t, nodes[0], "echo")
		waiting, err := nodes[1].Dial(t.Context(), "a", "echo") // never accepted
		must(t, err)
		open, err := nodes[1].Dial(t.Context(), "a", "echo")
		must(t, err)
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		nodes[0].Stop()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after the end: %v", err)
		}
		for _, c := range []net.Conn{waiting, open} {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("a stream outlives the node that accepted it")
			}
		}
		nodes[1].Stop()
		if _, err := open.Write([]byte("x")); err == nil {
			t.Error("a stream outlives the node that dialled it")
		}
		if _, err := nodes[1].Dial(t.Context(), "b", "echo"); !errors.Is(err, ErrStopped) {
			t.Errorf("Dial after the end: %v, want ErrStopped", err)
		}
	})
}

func TestARemovedNodeOpensNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, nodes := formed(t, "a", "b", "c")
		listen(t, nodes[0], "echo")
		network.Cut(func(from, to string) bool { return from == "c" || to == "c" })
		settle(10 * time.Second)
		must(t, nodes[0].Remove(t.Context(), "c"))
		conn, err := network.Host("x").Dial(t.Context(), nodes[0].Addr()) // as c, which does not know yet
		must(t, err)
		defer conn.Close()
		s := nodes[2].newStream(conn)
		if _, err := nodes[2].dialHandshake(s); err != nil {
			t.Fatal(err)
		}
		if err := s.openProtocol("echo"); !errors.Is(err, ErrRemoved) {
			t.Errorf("open by a removed member: %v, want ErrRemoved", err)
		}
	})
}

func TestHTTPRunsOverStreams(t *testing.T) {
	for _, security := range []string{"plain", "psk"} {
		t.Run(security, func(t *testing.T) {
			var carrier transport.TCP
			if security == "psk" {
				psk, err := transport.NewPSK(bytes.Repeat([]byte{7}, 32))
				must(t, err)
				carrier.Security = psk
			}
			var nodes []*Node
			for _, name := range []string{"a", "b"} {
				n, err := Start(Config{Name: name, ClusterID: "test", Listen: "127.0.0.1:0", Transport: carrier})
				must(t, err)
				defer n.Stop()
				nodes = append(nodes, n)
			}
			must(t, nodes[1].Join(t.Context(), nodes[0].Addr()))
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })}
			l := listen(t, nodes[0], "http")
			go func() { _ = server.Serve(l) }()
			defer server.Close()
			client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return nodes[1].Dial(ctx, "a", "http")
			}}}
			body := strings.Repeat("convoke ", 1<<16)
			answer, err := client.Post("http://a/", "text/plain", strings.NewReader(body))
			must(t, err)
			defer answer.Body.Close()
			if got, err := io.ReadAll(answer.Body); string(got) != body || err != nil {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
		})
	}
}
