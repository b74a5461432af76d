package gossip

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

func TestTheAddressOfTheHostIsFollowedUnlessOneIsGiven(t *testing.T) {
	for _, c := range []struct {
		bound, advertise string
		want             bool
	}{
		{"0.0.0.0:7946", "", true},
		{"[::]:7946", "", true},
		{"0.0.0.0:7946", "10.0.0.1:7946", false},
		{"10.0.0.1:7946", "", false},
		{"a:7946", "", false},
	} {
		if got := (Config{Advertise: c.advertise}).followsHost(tcpAddr(c.bound)); got != c.want {
			t.Errorf("bound to %s, advertise %q: followsHost() = %v, want %v", c.bound, c.advertise, got, c.want)
		}
	}
}

func TestMembersSeeAndDialTheNewAddressOfAHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		nodes := cluster(t, network, "10.0.0.1", "10.0.0.2", "10.0.0.3")
		settle(10 * time.Second)
		moving := nodes[1]
		// The address is that of a listener that is there already: where the streams go is seen by the name that answers.
		other, err := Start(Config{Name: "other", ClusterID: "another", Listen: "10.0.0.9:7946", Transport: network.Host("10.0.0.9")})
		must(t, err)
		t.Cleanup(other.Stop)
		watched := make(chan string, 1)
		go func() {
			for v := range moving.eachView(t.Context()) {
				if m, _ := v.Member("10.0.0.2"); m.Addr != "10.0.0.2:7946" {
					watched <- moving.Addr() // connectors wake their readers with a view, and those ask for Addr
					return
				}
			}
		}()
		synctest.Wait()
		moving.followHost(func(_ context.Context, current netip.Addr, moved func(netip.Addr)) {
			if want := netip.MustParseAddr("10.0.0.2"); current != want {
				t.Errorf("followed from %v, want %v", current, want)
			}
			moved(netip.MustParseAddr("10.0.0.9"))
		})
		settle(time.Second)
		for _, n := range nodes {
			m, ok := n.View().Member("10.0.0.2")
			if !ok || m.Addr != "10.0.0.9:7946" || !m.Up() {
				t.Errorf("%s sees %+v, want the member up at the new address", n.Name(), m)
			}
		}
		if addr := <-watched; addr != "10.0.0.9:7946" {
			t.Errorf("Addr() = %s when the view changed, want the new address", addr)
		}
		network.Cut(func(from, to string) bool { return to == "10.0.0.2" || from == "10.0.0.2" })
		settle(time.Minute)
		if other.Counters().Refused.ForeignCluster == 0 {
			t.Error("no member dialled the new address")
		}
	})
}
