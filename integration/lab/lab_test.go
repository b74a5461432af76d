package lab

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	beat   = 20 * time.Millisecond  // a probe sends this often
	window = 400 * time.Millisecond // heard longer ago than this is not heard
	bound  = 15 * time.Second       // for anything to come true on a busy machine
)

var groups = map[string]string{"udp4": "233.252.1.32:45999", "udp6": "[ff02::1:5159%eth0]:45999"}

func TestMain(m *testing.M) {
	os.Exit(Main(m, map[string]Probe{"chatter": chatter, "count": count, "send": send}))
}

// chatter sends its name to a multicast group and prints the names it hears there.
func chatter(args []string) error {
	name, network := args[0], args[1]
	group, err := net.ResolveUDPAddr(network, groups[network])
	if err != nil {
		return err
	}
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	in, err := net.ListenMulticastUDP(network, eth0, group)
	if err != nil {
		return err
	}
	go func() { // ends with the process
		for range time.Tick(beat) {
			_, _ = in.WriteToUDP([]byte(name), group) // no carrier, no route: that is the test
		}
	}()
	buf := make([]byte, 64)
	for {
		n, _, err := in.ReadFromUDP(buf)
		if err != nil {
			return err
		}
		fmt.Println(string(buf[:n]))
	}
}

// ears holds when whom was last heard by one host.
type ears struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (e *ears) hear(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last[name] = time.Now()
}

func (e *ears) now() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.last, func(_ string, at time.Time) bool { return time.Since(at) > window })
	return slices.Sorted(maps.Keys(e.last))
}

// startChatter runs one chatter in each host and returns what they hear, by host.
func startChatter(t *testing.T, l *Lab, network string) []*ears {
	t.Helper()
	all := make([]*ears, l.Hosts()+1)
	for i := 1; i <= l.Hosts(); i++ {
		e := &ears{last: map[string]time.Time{}}
		all[i] = e
		c, err := l.Probe(i, e.hear, "chatter", fmt.Sprint(i), network)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Kill)
	}
	return all
}

// wantHeard waits until each host hears exactly the given ones: "1:2,3 2:1,3 3:1,2".
func wantHeard(t *testing.T, all []*ears, want string) {
	t.Helper()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	deadline := time.After(bound)
	for {
		got := heard(all)
		if got == want {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("hosts hear %q, want %q", got, want)
		}
	}
}

func heard(all []*ears) string {
	var out []string
	for i, e := range all[1:] {
		out = append(out, fmt.Sprintf("%d:%s", i+1, strings.Join(e.now(), ",")))
	}
	return strings.Join(out, " ")
}

func TestMulticastCrossesTheSwitchUntilItIsCut(t *testing.T) {
	for _, c := range []struct {
		name, network string
		newLab        func(testing.TB, int) *Lab
	}{
		{"IPv4", "udp4", New},
		{"IPv6", "udp6", New},
		{"IPv6 only", "udp6", NewIPv6Only},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := c.newLab(t, 4)
			all := startChatter(t, l, c.network)
			const allHosts = "1:2,3,4 2:1,3,4 3:1,2,4 4:1,2,3"
			wantHeard(t, all, allHosts)
			l.Partition([]int{1, 2}, []int{3, 4})
			wantHeard(t, all, "1:2 2:1 3:4 4:3")
			l.Heal()
			wantHeard(t, all, allHosts)
			l.Cable(4, false)
			wantHeard(t, all, "1:2,3 2:1,3 3:1,2 4:")
			l.Cable(4, true)
			wantHeard(t, all, allHosts)
		})
	}
}

func TestLossDropsAboutItsShareAndEnds(t *testing.T) {
	t.Parallel()
	l := New(t, 2)
	l.Loss(2, 30)
	if got := arrived(t, l, 200); got < 100 || got > 175 {
		t.Errorf("at 30 percent loss %d of 200 datagrams arrived, want about 140", got)
	}
	l.Loss(2, 0)
	if got := arrived(t, l, 20); got != 20 {
		t.Errorf("without loss %d of 20 datagrams arrived, want all", got)
	}
}

// arrived sends datagrams from host 1 to host 2 and returns how many come through.
func arrived(t *testing.T, l *Lab, n int) int {
	t.Helper()
	lines := make(chan string, 1) // "ready", then the count
	c, err := l.Probe(2, func(s string) { lines <- s }, "count")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	<-lines
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	s, err := l.Probe(1, nil, "send", l.IP(2), fmt.Sprint(n))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(ctx); err != nil {
		t.Fatalf("send: %v", err)
	}
	if err := c.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	got, err := strconv.Atoi(<-lines)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// count counts the datagrams that arrive until SIGTERM.
func count([]string) error {
	pc, err := net.ListenPacket("udp4", "0.0.0.0:7000")
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { _ = pc.SetReadDeadline(time.Now().Add(window)) })
	fmt.Println("ready")
	buf := make([]byte, 64)
	for n := 0; ; n++ {
		if _, _, err := pc.ReadFrom(buf); err != nil {
			fmt.Println(n)
			return nil
		}
	}
}

// send sends args[1] datagrams to host args[0].
func send(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	c, err := net.Dial("udp4", net.JoinHostPort(args[0], "7000"))
	if err != nil {
		return err
	}
	for range n {
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
	}
	return c.Close()
}

func TestChildrenAreSignalledAndKilledThemselves(t *testing.T) {
	t.Parallel()
	l := New(t, 1)
	c, err := l.Start(1, nil, nil, nil, "sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	err = c.Wait(ctx)
	if exit, ok := err.(*exec.ExitError); !ok || !exit.Sys().(syscall.WaitStatus).Signaled() {
		t.Errorf("after SIGTERM the child ended with %v, want the signal", err)
	}
	c.Kill() // again, and late: harmless
}

func TestNothingIsLeftBehind(t *testing.T) {
	var names []string
	t.Run("lab", func(t *testing.T) {
		l := New(t, 2)
		names = []string{l.switchName(), l.Host(1), l.Host(2)}
		for _, name := range names {
			if _, err := os.Stat(netnsDir + "/" + name); err != nil {
				t.Error(err)
			}
		}
	})
	if names == nil {
		t.Skip("no lab")
	}
	var left []string
	for _, name := range names {
		if _, err := os.Stat(netnsDir + "/" + name); err == nil {
			left = append(left, name)
		}
	}
	if diff := cmp.Diff([]string(nil), left); diff != "" {
		t.Errorf("namespaces left (-want +got):\n%s", diff)
	}
}

func TestSweepTakesTheDeadAndSparesTheLiving(t *testing.T) {
	l := New(t, 1)
	dead := "convoke000000"
	if err := ipBatch("", "netns add "+dead+"-1-h1\n"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(runDir+"/"+dead, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	dir, err := lock(runDir, os.O_RDONLY, syscall.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	sweep()
	dir.Close()
	if _, err := os.Stat(netnsDir + "/" + dead + "-1-h1"); err == nil {
		t.Error("the namespace of a dead run is still there")
	}
	if _, err := os.Stat(netnsDir + "/" + l.Host(1)); err != nil {
		t.Errorf("the namespace of a living run is gone: %v", err)
	}
}

func TestConnectionsAreOpenedFromTheHostAskedFor(t *testing.T) {
	t.Parallel()
	l := New(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	conn, err := l.Dial(1)(ctx, "udp", net.JoinHostPort(l.IP(2), "9"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, _, _ := net.SplitHostPort(conn.LocalAddr().String()); got != l.IP(1) {
		t.Errorf("the connection comes from %s, want %s", got, l.IP(1))
	}
	if _, err := l.Dial(3)(ctx, "udp", net.JoinHostPort(l.IP(2), "9")); err == nil {
		t.Error("a connection from a host that does not exist")
	}
}
