package gossip

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
)

func TestAStreamThatDripsIsClosedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		log := new(journal)
		a, err := Start(Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: mem.Host("a"),
			Log: hclog.New(&hclog.LoggerOptions{Output: log})})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Stop)
		b := frames(t, mallory())
		for range 3 {
			c, err := mem.Host("slow").Dial(t.Context(), "a:7946")
			if err != nil {
				t.Fatal(err)
			}
			begun, at := time.Now(), 0
			for ; at < len(b); at++ {
				if _, err := c.Write(b[at : at+1]); err != nil {
					break
				}
				settle(time.Second)
			}
			if open := time.Since(begun); open > acceptTimeout+2*time.Second || at == len(b) {
				t.Errorf("the stream was open for %v, %d of %d bytes were taken", open, at, len(b))
			}
		}
		if c := a.Counters(); c.Refused.BadHandshake != 3 {
			t.Errorf("counted %+v, want 3", c.Refused)
		}
		log.wantOnce(t, "in time")
		friend := start(t, mem, "b")
		if err := friend.Join(t.Context(), "a:7946"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		wantUp(t, []*Node{a, friend}, "a b")
	})
}

func TestAPeerThatDripsAfterItsHandshakeIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		a := start(t, mem, "a")
		c := memoryLink(t, mem, "a:7946")
		frame := frames(t, &core.Digest{Entries: make([]core.DigestEntry, 100)})
		begun := time.Now()
		for at := 0; at < len(frame); at++ {
			if _, err := c.Write(frame[at : at+1]); err != nil {
				break
			}
			settle(time.Second)
		}
		if open := time.Since(begun); open > 20*time.Second {
			t.Errorf("the link was open for %v", open)
		}
		if a.streams.count() != 0 {
			t.Error("its place is not free again")
		}
	})
}

// memoryLink is enter in a network in memory.
func memoryLink(t testing.TB, mem *transport.Memory, addr string) transport.Conn {
	t.Helper()
	c, err := mem.Host("mallory").Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(frames(t, mallory(), &core.Beat{})); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.NewReader(bufio.NewReader(c)).Read(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestASilentStreamEndsThoughTheCoreWouldWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		a := start(t, mem, "a")
		a.readTimeout = 2 * time.Second // the core waits for 5
		memoryLink(t, mem, "a:7946")
		settle(time.Second)
		if a.streams.count() != 1 {
			t.Error("the link ended too early")
		}
		settle(2 * time.Second)
		if a.streams.count() != 0 {
			t.Errorf("a link that was silent for %v is still there", a.readTimeout)
		}
	})
}

func TestAPeerThatBeatsAndNeverReadsIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		a := start(t, mem, "a")
		for i := range 12 {
			if err := a.Set(t.Context(), fmt.Sprint("key", i), strings.Repeat("x", core.DefaultLimits().Value)); err != nil {
				t.Fatal(err)
			}
		}
		c := memoryLink(t, mem, "a:7946")
		for range 20 { // more than the network and the queue hold
			if _, err := c.Write(frames(t, &core.Digest{Entries: []core.DigestEntry{{Node: core.HashID("a")}}})); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if a.streams.count() != 1 {
			t.Fatal("there is no link")
		}
		begun := time.Now()
		for a.streams.count() > 0 && time.Since(begun) < time.Minute {
			_, _ = c.Write(frames(t, &core.Beat{Wanted: true, Eager: true}))
			settle(time.Second)
		}
		if took := time.Since(begun); took < writeTimeout || took > writeTimeout+2*time.Second {
			t.Errorf("closed after %v, want it after %v", took, writeTimeout)
		}
	})
}

func TestAFrameCutAtAnyByteHarmsNoOtherStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		nodes := cluster(t, mem, "a", "b")
		settle(time.Second)
		lost := 0
		go func() {
			for c := range nodes[0].Watch(t.Context()) {
				lost += len(c.Lost)
			}
		}()
		for _, f := range everyFrame() {
			whole := frames(t, f)
			for n := 1; n < len(whole); n++ {
				c := memoryLink(t, mem, "a:7946")
				_, _ = c.Write(whole[:n]) // and hangs up
				_ = c.Close()
				if n < 5 {
					continue
				}
				c = memoryLink(t, mem, "a:7946")
				_, _ = c.Write(append([]byte{0, 0, byte((n - 4) >> 8), byte(n - 4)}, whole[4:n]...)) // a length that fits
				synctest.Wait()
				_ = c.Close()
			}
		}
		settle(time.Minute)
		if lost > 0 {
			t.Errorf("%d members were lost", lost)
		}
		if c := nodes[0].Counters(); c.FramesMalformed == 0 {
			t.Errorf("counted %+v, want malformed frames", c)
		}
		if got := nodes[0].streams.count(); got > 1 {
			t.Errorf("%d inbound streams are left", got)
		}
		wantUp(t, nodes, "a b")
	})
}
