package quorumlab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/goconvoke/convoke/quorum"
)

const (
	clientKeys  = 4 // that all clients share
	callTimeout = 3 * time.Second
	maxValue    = 100                   // bytes of a value that an append keeps
	pauseMost   = 40 * time.Millisecond // between two calls of a client
)

// clients runs clients of the map for a while and reports each call.
func (n *node) clients(ctx context.Context, r request) {
	ctx, cancel := context.WithTimeout(ctx, r.For)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range r.Clients {
		wg.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				client := fmt.Sprintf("%s-%d", n.config.Name, i)
				c := CallMap(n.quorum.Map(), client, k, "")
				n.out.send(event{Kind: "call", At: c.End, Call: &c})
				select {
				case <-time.After(rand.N(pauseMost)):
				case <-ctx.Done():
				}
			}
		})
	}
}

// CallMap performs one operation of a client, the kth, on one of the keys with a prefix. It is not cut short when the clients end: its deadline
// is near.
func CallMap(m *quorum.Map, client string, k int, prefix string) Call {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	c := Call{Client: client, Op: []string{"get", "get", "set", "append", "append", "delete"}[rand.IntN(6)],
		Key: fmt.Sprintf("%sk%d", prefix, rand.IntN(clientKeys)), Input: fmt.Sprintf("%s.%d", client, k), Begin: Now()}
	err := perform(ctx, m, &c)
	c.End = Now()
	c.OutcomeUnknown = errors.Is(err, quorum.ErrUnknown)
	c.Failed = err != nil && !c.OutcomeUnknown
	return c
}

func perform(ctx context.Context, m *quorum.Map, c *Call) error {
	switch c.Op {
	case "get":
		e, err := m.Get(ctx, c.Key)
		c.Output, c.Found = e.Value, e.Index != 0
		return err
	case "set":
		_, err := m.Set(ctx, c.Key, c.Input)
		return err
	case "delete":
		return m.Delete(ctx, c.Key)
	}
	e, err := m.Update(ctx, c.Key, func(old string, _ bool) (string, bool, error) {
		return old[max(0, len(old)-maxValue):] + "," + c.Input, true, nil
	})
	c.Output = e.Value
	return err
}
