package gossip

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

func TestAMemberIsNeverSeenWithoutItsInitialKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		network.Delay(5 * time.Millisecond)
		a := start(t, network, "a")
		seen := 0
		go func() {
			for v := range a.eachView(t.Context()) {
				if b, ok := v.Member("b"); ok {
					seen++
					if role, _ := b.Get("role"); role != "web" || b.Zone != "z1" || b.Version != "1.2.3" {
						t.Errorf("b was seen with role %q, zone %q, version %q", role, b.Zone, b.Version)
					}
				}
			}
		}()
		b, err := Start(Config{Name: "b", ClusterID: "test", Listen: "b:7946", Transport: network.Host("b"),
			Keys: map[string]string{"role": "web"}, Zone: "z1", Version: "1.2.3"})
		must(t, err)
		must(t, b.Join(t.Context(), a.Addr()))
		settle(5 * time.Second)
		b.Stop()
		a.Stop()
		synctest.Wait()
		if seen == 0 {
			t.Error("b was never seen")
		}
	})
}

func TestInitialKeysTakeThePlaceOfThoseOnTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		run := func(keys map[string]string, then func(n *Node)) {
			n, err := Start(Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: transport.NewMemory().Host("a"), DataDir: dir, Keys: keys})
			must(t, err)
			defer n.Stop()
			then(n)
		}
		run(nil, func(n *Node) {
			must(t, n.Set(t.Context(), "role", "old"))
			must(t, n.Set(t.Context(), "kept", "v"))
		})
		run(map[string]string{"role": "new"}, func(n *Node) {
			role, _ := n.Get("a", "role")
			kept, _ := n.Get("a", "kept")
			if role != "new" || kept != "v" {
				t.Errorf("role = %q, kept = %q; want new and v", role, kept)
			}
		})
	})
}

func TestInitialKeysBeyondTheLimitsAreRefused(t *testing.T) {
	large := map[string]string{}
	for i := range 20 {
		large[strings.Repeat("k", 1+i)] = strings.Repeat("v", 1<<16)
	}
	for name, keys := range map[string]map[string]string{
		"an empty key": {"": "v"}, "a long key": {strings.Repeat("k", 257): "v"}, "a large value": {"k": strings.Repeat("v", 1<<16+1)}, "more than 1 MiB": large,
	} {
		if err := (Config{Name: "a", ClusterID: "test", Listen: "a:7946", Keys: keys}).Validate(); err == nil || !strings.Contains(err.Error(), "keys") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
