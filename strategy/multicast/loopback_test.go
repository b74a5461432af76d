package multicast

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// loopbackInterface returns a setting that keeps all packets on this host.
func loopbackInterface(t *testing.T) string {
	t.Helper()
	all, err := osNetwork{}.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.loopback() && i.canSend(v4, false) {
			return i.Name
		}
	}
	t.Skip("no loopback interface with an IPv4 address is up: multicast on loopback cannot be tried here")
	return ""
}

// freePort returns a UDP port that no process uses at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("no UDP socket on loopback:", err)
	}
	defer pc.Close()
	return pc.LocalAddr().(*net.UDPAddr).Port
}

// skipIfLoopbackCannotMulticast sends one datagram to the group and waits for it.
func skipIfLoopbackCannotMulticast(t *testing.T, c Config) {
	t.Helper()
	sock, err := osNetwork{}.Listen(v4, c)
	if err != nil {
		t.Skip("no multicast socket can be opened here:", err)
	}
	defer sock.Close()
	all, _ := osNetwork{}.Interfaces()
	lo := chooseInterfaces(all, c, v4)[0]
	if err := sock.Join(lo); err != nil {
		t.Skip("the group cannot be joined on loopback:", err)
	}
	conn := sock.(*socket4).conn
	conn.SetReadDeadline(time.Now().Add(time.Second))
	to := netAddrPort(c)
	if err := sock.Send([]byte("probe"), lo, to); err != nil {
		t.Skip("loopback does not take multicasts here:", err)
	}
	if _, err := sock.Receive(make([]byte, maxPacket)); err != nil {
		t.Skip("loopback does not deliver multicasts here:", err)
	}
}

func loopbackConfig(t *testing.T) Config {
	c := DefaultConfig()
	c.IPv6Group = ""
	c.Interfaces = []string{loopbackInterface(t)}
	c.Port = freePort(t)
	return c
}

func TestTwoNodesOnLoopbackFindEachOtherWithinTwoSeconds(t *testing.T) {
	for _, mode := range []string{"multicast", "broadcast"} {
		t.Run(mode, func(t *testing.T) {
			c := loopbackConfig(t)
			skipIfLoopbackCannotMulticast(t, c)
			c.Broadcast = mode == "broadcast"
			c.Keys = []strategy.Key{testKey(1)}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			start := time.Now()
			a, stopA := startReal(ctx, t, c, "a", "0.0.0.0:1001")
			b, stopB := startReal(ctx, t, c, "b", "127.0.0.1:1002")
			defer stopA()
			wantA := peer.Peer{ID: "a", Addr: "127.0.0.1:1001"}
			wantB := peer.Peer{ID: "b", Addr: "127.0.0.1:1002"}
			if err := errors.Join(a.await(ctx, wantB), b.await(ctx, wantA)); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("found each other after %v, want 2s at most", d)
			}
			stopB()
		})
	}
}

func TestListenSeesHeartbeatsOnLoopback(t *testing.T) {
	c := loopbackConfig(t)
	skipIfLoopbackCannotMulticast(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, stop := startReal(ctx, t, c, "a", "0.0.0.0:1001")
	defer stop()
	var got Heard
	err := Listen(ctx, c, testEnv("", ""), func(h Heard) { got = h; cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Listen = %v, want it to end with its context", err)
	}
	if got.Node != "a" || got.Verdict != "accepted" || !got.Cluster || got.Interface != c.Interfaces[0] || got.Family != "ipv4" {
		t.Errorf("heard %+v, want an accepted heartbeat of a by %s", got, c.Interfaces[0])
	}
}
