package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/multicast"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// loopback returns the name of the loopback interface.
func loopback(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			return i.Name
		}
	}
	t.Skip("this host has no loopback interface that is up")
	return ""
}

// freePort returns a UDP port that is not in use.
func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// announce runs a node of that cluster on loopback until the test ends.
func announce(t *testing.T, clusterID, name string, port int) {
	t.Helper()
	c := multicast.DefaultConfig()
	c.IPv6Group, c.Interfaces, c.Port, c.Interval = "", []string{loopback(t)}, port, 100*time.Millisecond
	s := strategytest.New(t, multicast.Kind, c, strategy.Env{
		ClusterID: clusterID,
		Self:      func() []peer.Peer { return []peer.Peer{{Addr: "127.0.0.1:7946", ID: name}} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx, discardSink{}); !errors.Is(err, context.Canceled) {
			t.Errorf("multicast ended with %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// discardSink discards what it receives.
type discardSink struct{}

func (discardSink) Set([]peer.Peer) {}
func (discardSink) Add([]peer.Peer) {}
func (discardSink) Fail(error)      {}

func TestListenPrintsHeartbeatsWithTheirVerdicts(t *testing.T) {
	port := freePort(t)
	announce(t, "lab", "h1", port)
	announce(t, "other", "h2", port)
	file := multicastFile(t, port)

	out := newWatchedBuffer(`"verdict":"accepted"`, `"verdict":"cluster"`)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-out.complete:
			cancel()
		case <-ctx.Done():
		}
	}()
	var stderr bytes.Buffer
	if code := Run(ctx, []string{"listen", "-c", file, "-o", "json"}, out, &stderr, "convoke", gossip.Kind); code != exitOK {
		t.Fatalf("exit code %d, want 0; stderr: %s", code, stderr.String())
	}
	for text := range strings.Lines(out.String()) {
		var l heardLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		switch {
		case l.Verdict == "accepted" && (l.Node != "h1" || l.Topology != "segment" || !l.Cluster || len(l.Addrs) == 0):
			t.Errorf("accepted %+v, want only h1 of our cluster", l)
		case l.Verdict == "cluster" && (l.Node == "h1" || l.Cluster):
			t.Errorf("of another cluster: %+v, want h2's", l)
		}
	}
	if sum := stderr.String(); !strings.Contains(sum, "heard: ") || !strings.Contains(sum, " accepted, ") || !strings.Contains(sum, " cluster") {
		t.Errorf("the sum is %q, want both verdicts", sum)
	}
}

func multicastFile(t *testing.T, port int) string {
	t.Helper()
	config, err := json.Marshal(map[string]any{"interfaces": []string{loopback(t)}, "port": port, "ipv6_group": ""})
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "topology.yaml", "cluster: lab\ntopologies:\n  here: {strategy: local}\n"+
		"  segment: {strategy: multicast, config: "+string(config)+"}\n")
}

func TestListenEndsAfterItsTimeAndReportsThatNothingCame(t *testing.T) {
	got := convoke(t, "listen", "-c", multicastFile(t, freePort(t)), "--for", "100ms", "segment")
	if got.code != exitOK || got.stdout != "" || !strings.Contains(got.stderr, "heard nothing") {
		t.Errorf("listen = %+v, want exit code 0 and that nothing was heard", got)
	}
}

func TestListenNeedsAMulticastTopology(t *testing.T) {
	none := write(t, "none.yaml", "cluster: lab\ntopologies: {here: {strategy: local}}\n")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"in the file", []string{"-c", none}, "no topology with the strategy multicast"},
		{"by name", []string{"-c", none, "here"}, `topology "here" has the strategy local`},
		{"that exists", []string{"-c", none, "there"}, "it has: here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := convoke(t, append([]string{"listen"}, c.args...)...)
			if got.code != exitFailed || !strings.Contains(got.stderr, c.want) {
				t.Errorf("listen = %+v, want exit code 1 and %q", got, c.want)
			}
		})
	}
}

func TestEarPrintsOneLineForEachDatagram(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 123e6, time.UTC)
	from := netip.MustParseAddrPort("10.0.0.1:45892")
	for _, c := range []struct {
		name  string
		heard multicast.Heard
		want  string
	}{
		{"a heartbeat", multicast.Heard{At: at, From: from, Interface: "eth0", Size: 67, Verdict: "accepted", Node: "h1", Addrs: []string{"10.0.0.1:7946"}},
			"15:04:05.123  lab  accepted  heartbeat of 67 bytes from 10.0.0.1:45892 (eth0): h1 at 10.0.0.1:7946\n"},
		{"a leave packet", multicast.Heard{At: at, From: from, Interface: "eth0", Size: 67, Verdict: "accepted", Node: "h1", Addrs: []string{"10.0.0.1:7946"}, Leave: true},
			"15:04:05.123  lab  accepted  leave packet of 67 bytes from 10.0.0.1:45892 (eth0): h1 at 10.0.0.1:7946\n"},
		{"what cannot be read", multicast.Heard{At: at, From: from, Size: 9, Verdict: "magic"},
			"15:04:05.123  lab  magic     packet of 9 bytes from 10.0.0.1:45892 (-)\n"},
		{"a name that plays with the terminal", multicast.Heard{At: at, From: from, Size: 67, Verdict: "accepted", Node: "\x1b[2J", Addrs: []string{"a:1"}},
			"15:04:05.123  lab  accepted  heartbeat of 67 bytes from 10.0.0.1:45892 (-): \"\\x1b[2J\" at a:1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			(&packetPrinter{as: asText, w: &out}).printPacket("lab", c.heard)
			if d := cmp.Diff(c.want, out.String()); d != "" {
				t.Errorf("hear() (-want +got):\n%s", d)
			}
		})
	}
}

// watchedBuffer closes complete when it holds all the parts.
type watchedBuffer struct {
	complete chan struct{}

	mu    sync.Mutex // guards what follows
	b     bytes.Buffer
	parts []string // not there yet
}

func newWatchedBuffer(parts ...string) *watchedBuffer {
	return &watchedBuffer{complete: make(chan struct{}), parts: parts}
}

func (w *watchedBuffer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(p)
	var missing []string
	for _, part := range w.parts {
		if !bytes.Contains(w.b.Bytes(), []byte(part)) {
			missing = append(missing, part)
		}
	}
	if len(missing) == 0 && len(w.parts) > 0 {
		close(w.complete)
	}
	w.parts = missing
	return len(p), nil
}

func (w *watchedBuffer) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}
