package dskitkv

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grafana/dskit/kv/memberlist"
	"github.com/grafana/dskit/ring"

	"github.com/goconvoke/convoke/gossip/gossiptest"
)

// register adds an instance to the ring, as the lifecycler of dskit does.
func register(ctx context.Context, c *Client, name string, number int) error {
	return c.CAS(ctx, "ring", func(in any) (any, bool, error) {
		desc := ring.GetOrCreateRingDesc(in)
		now := time.Now()
		desc.AddIngester(name, name+":9095", "zone", []uint32{uint32(number)}, ring.ACTIVE, now, false, time.Time{}, nil)
		return desc, true, nil
	})
}

func TestAllThatRegisterAtOnceAreInTheRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := gossiptest.New(t)
		var names []string
		for i := range 8 {
			names = append(names, fmt.Sprint("n", i))
		}
		nodes := cluster.Start(names...)
		cluster.Partition(names[:4], names[4:]) // and the cut does not matter
		var clients []*Client
		var tasks sync.WaitGroup
		for i, n := range nodes {
			c := New(n, ring.GetCodec(), func() memberlist.Mergeable { return ring.NewDesc() })
			clients = append(clients, c)
			tasks.Go(func() {
				if err := register(t.Context(), c, n.Name(), i); err != nil {
					t.Error(err)
				}
			})
		}
		tasks.Wait()
		cluster.Heal()
		for i, c := range clients {
			cluster.Wait(fmt.Sprintf("client %d has all instances", i), func() bool {
				v, err := c.Get(t.Context(), "ring")
				return err == nil && v != nil && len(v.(*ring.Desc).Ingesters) == 8
			})
		}
		if keys, err := clients[0].List(t.Context(), ""); err != nil || len(keys) != 1 || keys[0] != "ring" {
			t.Errorf("List = %v, %v", keys, err)
		}
	})
}
