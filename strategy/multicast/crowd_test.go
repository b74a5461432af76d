package multicast

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
)

const crowdSize = 60

// startNodes runs nodes n0, n1, … on one host, each started some time after the one before.
func startNodes(t *testing.T, h *host, n int, apart time.Duration) []*node {
	t.Helper()
	c := DefaultConfig()
	c.IPv6Group = ""
	var all []*node
	for i := range n {
		one := newTestNode(fmt.Sprint("n", i), fmt.Sprintf("10.0.1.1:%d", 10000+i))
		one.env.Rand = rand.New(rand.NewPCG(1, uint64(i)))
		one.env.Log = hclog.New(&hclog.LoggerOptions{Output: one.log, Level: hclog.Info, DisableTime: true})
		all = append(all, h.runEnv(t, c, one))
		time.Sleep(apart)
	}
	return all
}

// reported returns how many peers a node has reported in all.
func (n *node) reported() int {
	addrs := make(map[string]bool)
	for _, c := range n.since(0) {
		for _, p := range c.peers {
			addrs[p.Addr] = true
		}
	}
	return len(addrs)
}

func TestTheIntervalGrowsWithTheNodesOfTheClusterAndOfTheHost(t *testing.T) {
	p := newHeartbeatPacer(2*time.Second, nil, epoch)
	for _, c := range []struct {
		nodes, onHost int
		want          time.Duration
	}{
		{1, 1, 2 * time.Second}, {40, 1, 2 * time.Second}, {100, 1, 5 * time.Second}, {1000, 1, 50 * time.Second},
		{40, 40, 2 * time.Second}, {100, 40, 5 * time.Second}, {100, 100, 10 * time.Second}, {1024, 1024, time.Minute},
	} {
		if got := p.steadyInterval(c.nodes, c.onHost); got != c.want {
			t.Errorf("steady(%d, %d) = %v, want %v", c.nodes, c.onHost, got, c.want)
		}
	}
}

func TestManyNodesTogetherSendAboutTwentyHeartbeatsASecond(t *testing.T) {
	for _, n := range []int{20, crowdSize} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T, l *lan) {
				h := l.host(1)
				startNodes(t, h, n, 20*time.Millisecond)
				time.Sleep(30 * time.Second)
				before := h.count()
				time.Sleep(40 * time.Second)
				want := min(20, float64(n)/2, 1000/float64(n)) // all are of one host
				if rate := float64(h.count()-before) / 40; rate < 0.85*want || rate > 1.15*want {
					t.Errorf("%d nodes send %.1f heartbeats a second together, want about %.0f", n, rate, want)
				}
			})
		})
	}
}

func TestWhileManyNodesStartTheirHeartbeatsStayBounded(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		startNodes(t, h, crowdSize, 80*time.Millisecond)
		if n := h.count(); n > 7*crowdSize {
			t.Errorf("%d heartbeats while %d nodes started within 8 s, want at most %d", n, crowdSize, 7*crowdSize)
		}
	})
}

func TestManyNodesOfOneHostAllHearEachOther(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		nodes := startNodes(t, l.host(1), crowdSize, 20*time.Millisecond)
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		for i, n := range nodes {
			if got, want := n.reported(), crowdSize-1-i; got < want {
				t.Errorf("n%d has reported %d peers 1.5 s after the last start, want at least the %d started later", i, got, want)
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for i, n := range nodes {
			if got := n.reported(); got != crowdSize-1 {
				t.Errorf("n%d has reported %d peers 6 s after the last start, want %d", i, got, crowdSize-1)
			}
		}
	})
}

func TestANewcomerAmongManyIsHeardAtOnceAndHearsTheFirstAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		nodes := startNodes(t, h, crowdSize, 20*time.Millisecond)
		time.Sleep(30*time.Second + 333*time.Millisecond)
		late := h.run(t, DefaultConfig(), "late", "10.0.1.1:9999")
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if late.reported() == 0 {
			t.Error("the newcomer has reported no peer after 500 ms")
		}
		first := 0
		for _, n := range nodes {
			if n.reported() == crowdSize {
				first++
			}
		}
		if first == 0 || first == crowdSize {
			t.Errorf("%d of %d nodes have reported the newcomer after 500 ms, want some and not all at once", first, crowdSize)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, n := range nodes {
			if got := n.reported(); got != crowdSize {
				t.Fatalf("%s has reported %d peers 1.5 s after a newcomer, want %d", n.env.Self()[0].ID, got, crowdSize)
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := late.reported(); got != crowdSize {
			t.Errorf("the newcomer has reported %d peers after 5 s, want %d", got, crowdSize)
		}
	})
}

func TestAmongManyNodesASilentOneExpiresAndTheOthersStay(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h, other := l.host(1), l.host(2)
		nodes := startNodes(t, h, crowdSize, 50*time.Millisecond)
		b := other.run(t, DefaultConfig(), "b", "10.0.1.2:7946")
		time.Sleep(time.Minute)
		b.crash(other)
		since := nodes[0].count()
		time.Sleep(40 * time.Second) // five intervals of 5 s and more
		synctest.Wait()
		set, _ := last(nodes[0].since(since), "set")
		if len(set.peers) != crowdSize-1 {
			t.Errorf("%d peers 40 s after one of %d fell silent, want %d", len(set.peers), crowdSize+1, crowdSize-1)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, c := range nodes[0].since(since) {
			if c.kind == "set" && len(c.peers) < crowdSize-1 {
				t.Fatalf("Set of %d peers though %d are alive", len(c.peers), crowdSize-1)
			}
		}
	})
}

func TestWhileAPeerOfTheVersionBeforeIsHeardTheIntervalIsTheConfiguredOne(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1)
		startNodes(t, h, crowdSize, 50*time.Millisecond)
		codec := testCodec(t, "orders")
		old := packet{Instance: 7, Generation: 1, Node: "old", Addrs: []string{"10.0.1.99:1"}}
		rate := func(d time.Duration) float64 {
			before := h.count()
			for range int(d / (2 * time.Second)) {
				old.Seq++
				l.inject(codec.encode(nil, &old))
				time.Sleep(2 * time.Second)
			}
			return float64(h.count()-before) / d.Seconds()
		}
		rate(20 * time.Second)
		if got := rate(20 * time.Second); got < 26 {
			t.Errorf("%.1f heartbeats a second while a peer does not send its interval, want about 30", got)
		}
		time.Sleep(30 * time.Second)
		before := h.count()
		time.Sleep(30 * time.Second)
		if got := float64(h.count()-before) / 30; got > 23 {
			t.Errorf("%.1f heartbeats a second after the old peer has gone, want about 20", got)
		}
	})
}

func TestManyNodesLogAFewLinesEach(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		nodes := startNodes(t, l.host(1), crowdSize, 80*time.Millisecond)
		time.Sleep(time.Minute)
		for _, n := range nodes[crowdSize/2:] {
			n.stop()
		}
		time.Sleep(time.Minute)
		text := nodes[0].log.String()
		if lines := strings.Count(text, "\n"); lines > 20 {
			t.Errorf("a node of %d logs %d lines, want at most 20:\n%s", crowdSize, lines, text)
		}
		for _, want := range []string{"peers heard", " more", "peers left"} {
			if !strings.Contains(text, want) {
				t.Errorf("the log lacks %q:\n%s", want, text)
			}
		}
	})
}

func TestALoopbackThatStandsInIsWatchedAndItsAnswerIsNotComplete(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		h := l.host(1, standIn, iface("eth0", 1, 1, true))
		h.setUp("eth0", false)
		l.host(2).run(t, DefaultConfig(), "b", "0.0.0.0:7946")
		a := h.run(t, DefaultConfig(), "a", "0.0.0.0:7946")
		time.Sleep(time.Minute + 300*time.Millisecond)
		if c, ok := last(a.since(0), "set"); ok {
			t.Errorf("Set(%v) while loopback stands in for an interface, want no complete answer", c.peers)
		}
		if _, ok := last(a.since(0), "add"); !ok {
			t.Error("no Add as a sign of life while loopback stands in")
		}
		h.setUp("eth0", true)
		time.Sleep(1200 * time.Millisecond)
		if a.reported() != 1 {
			t.Error("b is not reported 1.2 s after the link came up")
		}
		time.Sleep(settled)
		wantView(t, a, peerB)
	})
}

func TestALoopbackThatIsNamedGivesACompleteAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		c := DefaultConfig()
		c.Interfaces, c.IPv6Group = []string{"lo"}, ""
		h := l.host(1, standIn)
		a, _ := h.run(t, c, "a", "127.0.0.1:1"), h.run(t, c, "b", "127.0.0.1:2")
		time.Sleep(settled)
		wantView(t, a, peer.Peer{ID: "b", Addr: "127.0.0.1:2"})
	})
}

func TestAHostWithIPv6AloneGivesCompleteAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		only := func(n int) netInterface {
			i := iface("eth0", 1, n, true)
			i.Addrs = i.Addrs[1:]
			return i
		}
		a := l.host(1, standIn, only(1)).run(t, DefaultConfig(), "a", "[fd00::1]:1")
		l.host(2, standIn, only(2)).run(t, DefaultConfig(), "b", "[fd00::2]:1")
		time.Sleep(settled)
		wantView(t, a, peer.Peer{ID: "b", Addr: "[fd00::2]:1"})
	})
}

// standIn is lo as Linux has it, without the flag for multicasts.
var standIn = netInterface{Index: 50, Name: "lo", Flags: net.FlagUp | net.FlagRunning | net.FlagLoopback,
	Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}}
