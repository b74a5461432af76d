package gossip

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
)

func TestSilentStreamsOfTwoHostsKeepNoOtherOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		a := start(t, mem, "a")
		for i := range 256 {
			_, err := mem.Host(fmt.Sprint("silent", i%2)).Dial(t.Context(), "a:7946")
			must(t, err)
		}
		synctest.Wait()
		var joins sync.WaitGroup
		for i := range 40 {
			host := "honest"
			if i%4 == 0 {
				host = "silent0" // an honest node beside a flood
			}
			n, err := Start(Config{Name: fmt.Sprint("n", i), ClusterID: "test", Listen: "x:0", Transport: mem.Host(host)})
			must(t, err)
			t.Cleanup(n.Stop)
			joins.Go(func() {
				if err := n.Join(t.Context(), "a:7946"); err != nil {
					t.Errorf("join of %s at %s: %v", n.config.Name, host, err)
				}
			})
		}
		joins.Wait()
		synctest.Wait()
		if a.Counters().Refused.TooMany == 0 {
			t.Error("no silent stream was ended")
		}
	})
}

func TestManyHandshakesOfOneHostWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, log := transport.NewMemory(), new(journal)
		a, err := Start(Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: mem.Host("a"),
			Log: hclog.New(&hclog.LoggerOptions{Output: log})})
		must(t, err)
		t.Cleanup(a.Stop)
		var peers sync.WaitGroup
		begun := time.Now()
		for range 600 {
			peers.Go(func() {
				c, err := mem.Host("farm").Dial(t.Context(), "a:7946")
				must(t, err)
				defer c.Close()
				time.Sleep(200 * time.Millisecond)
				_, _ = c.Write(frames(t, mallory()))
				f, err := wire.NewReader(bufio.NewReader(c)).Read()
				if _, ok := f.(*core.Hello); err != nil || !ok || time.Since(begun) > 2*time.Second {
					t.Errorf("after %v: %T, %v, want a hello", time.Since(begun), f, err)
				}
			})
		}
		peers.Wait()
		if lines := log.warnings(); len(lines) > 0 {
			t.Errorf("the log warns %q", lines)
		}
	})
}

func TestAStreamTooManyIsRejectedWithTheAdviceToTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		start(t, mem, "a")
		for range maxHandshakes + maxWaiting {
			_, err := mem.Host("flood").Dial(t.Context(), "a:7946")
			must(t, err)
		}
		synctest.Wait()
		c, err := mem.Host("flood").Dial(t.Context(), "a:7946")
		must(t, err)
		f, err := wire.NewReader(bufio.NewReader(c)).Read()
		if r, ok := f.(*core.Refuse); err != nil || !ok || !strings.HasPrefix(r.Reason, "busy, try again") {
			t.Errorf("it gets %#v, %v", f, err)
		}
	})
}

func TestPlacesAreKeptForMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newHandshakeLimit(4, 1)
		type result struct {
			place *handshake
			err   error
		}
		enter := func(host string, member bool) chan result {
			got := make(chan result, 1)
			go func() {
				_, place, err := l.enter(t.Context(), host, member)
				got <- result{place, err}
			}()
			synctest.Wait()
			return got
		}
		var strangers []*handshake
		for i := range 4 {
			strangers = append(strangers, (<-enter(fmt.Sprint("stranger", i), false)).place)
		}
		waits := enter("stranger", false)
		for _, host := range []string{"m1", "m2"} { // the place that is kept, and that of a stranger
			select {
			case r := <-enter(host, true):
				must(t, r.err)
			default:
				t.Errorf("%s has to wait", host)
			}
		}
		if running, waiting := l.counts(); running != 5 || waiting != 1 {
			t.Errorf("%d run and %d wait, want 5 and 1", running, waiting)
		}
		for _, place := range strangers[1:3] {
			l.leave(place)
		}
		if r := <-waits; r.err != nil {
			t.Errorf("the one that waited: %v", r.err)
		}
	})
}

func TestANodeOfProtocol1IsRejectedOnBothSides(t *testing.T) {
	const want = "this node speaks protocol 2 (convoke"
	old := mallory()
	old.Protocol = 1
	n, log := victim(t, "n")
	c := knockAt(t, n)
	_, err := c.Write(frames(t, old))
	must(t, err)
	f, err := wire.NewReader(bufio.NewReader(c)).Read()
	if r, ok := f.(*core.Refuse); err != nil || !ok || !strings.HasPrefix(r.Reason, want) ||
		!strings.HasSuffix(r.Reason, "the other one 1: upgrade all nodes of the cluster; see CHANGELOG") {
		t.Errorf("the old node that dials gets %#v, %v", f, err)
	}
	log.wantOnce(t, "protocol version")

	listener, err := transport.TCP{}.Listen("127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	got := make(chan core.Frame, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := wire.NewReader(bufio.NewReader(c))
		_, _ = r.Read()
		_, _ = c.Write(frames(t, old))
		f, _ := r.Read()
		got <- f
	}()
	if err := n.Join(t.Context(), listener.Addr().String()); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), want) {
		t.Errorf("Join of an old node: %v", err)
	}
	if r, ok := (<-got).(*core.Refuse); !ok || !strings.HasPrefix(r.Reason, want) {
		t.Errorf("the old node that was dialled gets %#v", r)
	}
}
