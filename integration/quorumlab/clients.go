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
	clientKeys  = 2 // that all clients of a history share
	callTimeout = time.Second
	maxValue    = 100                   // bytes of a value that an append keeps
	pauseMost   = 40 * time.Millisecond // between two calls of a client
)

// clients runs the clients of some histories for a while.
func (n *node) clients(ctx context.Context, r Clients) {
	ctx, cancel := context.WithTimeout(ctx, r.For)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, part := range r.Parts {
		for i := range r.Each {
			wg.Go(func() { n.client(ctx, part, fmt.Sprintf("%s-%d-%d", n.config.Name, r.Run, i)) })
		}
	}
}

// client makes calls until ctx ends. It reports each one before it begins too: if the process is killed, the call may take effect all the same.
func (n *node) client(ctx context.Context, part Part, name string) {
	for k := 0; ctx.Err() == nil; k++ {
		c := part.choose(name, k)
		c.Begin = Now()
		n.out.send(event{Kind: "called", At: c.Begin, Call: &c})
		n.complete(&c)
		n.out.send(event{Kind: "call", At: c.End, Call: &c})
		select {
		case <-time.After(rand.N(pauseMost)):
		case <-ctx.Done():
		}
	}
}

// choose returns the kth call of a client.
func (p Part) choose(client string, k int) Call {
	c := mapCall(client, k, p.Name)
	if what := rand.IntN(16); what < 4 {
		c.Op = "owner"
		if what == 0 {
			c.Op, c.Input = "move", p.Members[rand.IntN(len(p.Members))]
		}
		c.Group, c.Shard = []string{Exclusive, Fenced}[rand.IntN(2)], p.Shards[rand.IntN(len(p.Shards))]
		c.Key = fmt.Sprintf("%s/%d", c.Group, c.Shard)
	}
	c.History = p.Name
	return c
}

// complete makes a call. It is not cut short when the clients end: its deadline is near.
func (n *node) complete(c *Call) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	var err error
	switch c.Op {
	case "owner":
		err = n.owner(ctx, c)
	case "move":
		err = n.quorum.Move(ctx, c.Group, c.Shard, c.Input)
	default:
		err = perform(ctx, n.quorum.Map(), c)
	}
	c.note(err)
}

// owner reads the holder of a shard after a sync.
func (n *node) owner(ctx context.Context, c *Call) error {
	level := quorum.Exclusive
	if c.Group == Fenced {
		level = quorum.Fenced
	}
	s, err := n.quorum.Shards(c.Group, quorum.Settings{Count: Shards, Level: level})
	if err == nil {
		err = s.Sync(ctx)
	}
	if err != nil {
		return err
	}
	var token quorum.Token
	c.Output, token, c.Found = s.Owner(c.Shard)
	c.Token = uint64(token)
	return nil
}

// CallMap performs one operation of a client, the kth, on one of the keys with a prefix.
func CallMap(m *quorum.Map, client string, k int, prefix string) Call {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	c := mapCall(client, k, prefix)
	c.Begin = Now()
	c.note(perform(ctx, m, &c))
	return c
}

// mapCall chooses an operation of a client on one of the keys with a prefix. Its input is that of no other call.
func mapCall(client string, k int, prefix string) Call {
	return Call{Client: client, Op: []string{"get", "get", "set", "append", "append", "delete"}[rand.IntN(6)],
		Key: fmt.Sprintf("%sk%d", prefix, rand.IntN(clientKeys)), Input: fmt.Sprintf("%s.%d", client, k)}
}

// note records how a call has ended.
func (c *Call) note(err error) {
	c.End = Now()
	c.OutcomeUnknown = errors.Is(err, quorum.ErrUnknown)
	c.Failed = err != nil && !c.OutcomeUnknown
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
