package gossip

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/transport"
)

// notice returns the next notice that waits, zero if none does.
func notice(c *Connector) connector.Notice {
	select {
	case n := <-c.Notices():
		return n
	default:
		return connector.Notice{}
	}
}

func TestANodeComesBackWhenTheProcessThatTookItsNameIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		config := func(name, host string) gossip.Config {
			return gossip.Config{Name: name, ClusterID: "test", Listen: host + ":1", Transport: mem.Host(host)}
		}
		subject, err := newConnector(config("subject", "a"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- subject.Run(ctx) }()
		defer func() { cancel(); <-done }()
		synctest.Wait()
		join := func(c gossip.Config, addr string) *gossip.Node {
			n, err := gossip.Start(c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(n.Stop)
			if err := n.Join(ctx, addr); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			return n
		}
		join(config("third", "b"), "a:1")
		first := subject.Node()
		twin := join(config("subject", "c"), "b:1")

		s := subject.State()
		var conflict *gossip.ConflictError
		if s.Phase != PhaseConflict || !errors.As(s.Err, &conflict) || conflict.Addr != "c:1" || s.Attempts < 2 || !s.Next.After(time.Now()) {
			t.Errorf("State = %+v, want a conflict with c:1", s)
		}
		if n := notice(subject); n.Kind != connector.NoticeNameConflict || n.Peer.Addr != "c:1" || !errors.Is(n.Err, gossip.ErrConflict) {
			t.Errorf("Notice = %+v", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := notice(subject); n != (connector.Notice{}) {
			t.Errorf("while the other process runs: %+v", n)
		}
		if twin.Err() != nil {
			t.Fatalf("after an hour the other process ended: %v", twin.Err())
		}
		if s := subject.State(); s.Attempts < 50 || s.Attempts > 100 {
			t.Errorf("%d attempts in an hour, want one a minute", s.Attempts)
		}
		twin.Stop()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := subject.State(); s.Phase != PhaseRunning || s.Err != nil || subject.Node() == first {
			t.Errorf("State = %+v, want another node that runs", s)
		}
		if n := notice(subject); n.Kind != connector.NoticeNameRegained {
			t.Errorf("Notice = %+v", n)
		}
		if peers, err := subject.List(ctx); len(peers) != 1 || err != nil {
			t.Errorf("List = %v, %v, want the third node", peers, err)
		}
	})
}
