package gossip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/peer"
)

const (
	firstWait   = time.Second      // after the first start that failed; doubles,
	longestWait = 30 * time.Second // up to this, ±20 %
	// maxNotices is how many notices may wait for their reader: hours of them, unless a clock or a file changes all the time.
	maxNotices = 64
)

// Run takes part until ctx is done. When it cannot listen, or open its data directory, it logs that once and tries again,
// after 1 s doubling to 30 s, for ever. When another process takes this node's name the methods return a [*gossip.ConflictError], and the node
// comes back when that process is gone, which it looks for after 2 s doubling to 1 minute. When this node was removed from its cluster it
// does not come back: that takes a new connector with Env.Rejoin.
func (c *Connector) Run(ctx context.Context) error {
	defer c.setOut(errNotRunning, time.Time{})
	n, err := c.startUntil(ctx)
	for err == nil {
		conflict := c.follow(ctx, n)
		if conflict == nil {
			return c.awaitEnd(ctx, n)
		}
		n, err = c.awaitName(ctx, n, conflict)
	}
	return err
}

// startUntil starts a node, again and again, until it succeeds or ctx is done.
func (c *Connector) startUntil(ctx context.Context) (*gossip.Node, error) {
	for failures := 1; ; failures++ {
		n, err := gossip.Start(c.config)
		if err == nil {
			c.log.Info("listening", "addr", n.Addr())
			return n, nil
		}
		if failures == 1 {
			c.log.Warn("cannot start, trying again", "addr", c.config.Listen, "error", err)
		}
		wait := backoff.Jitter(nil, backoff.Doubling(firstWait, longestWait, failures), 0.2)
		c.setOut(err, time.Now().Add(wait))
		if err := backoff.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// follow reports what happens to a node until it ends or ctx is done. It returns the conflict if that ended it. The node has stopped then.
func (c *Connector) follow(ctx context.Context, n *gossip.Node) (conflict *gossip.ConflictError) {
	defer n.Stop()
	c.setRunning(n)
	watching, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.followSecurity(watching, n) })
	addr := n.Addr()
	for range n.Watch(ctx) {
		c.notify()
		if now := n.Addr(); now != addr {
			addr = now
			c.report(connector.Notice{Kind: connector.NoticeAddrChanged, Peer: peer.Peer{ID: n.Name(), Addr: addr}})
		}
	}
	cancel()
	wg.Wait()
	if ctx.Err() == nil && errors.As(n.Err(), &conflict) {
		return conflict
	}
	return nil
}

// awaitEnd waits for the end of ctx when a node has ended that does not come back. A node that ended for no reason of the cluster's is an
// error.
func (c *Connector) awaitEnd(ctx context.Context, n *gossip.Node) error {
	switch err := n.Err(); {
	case ctx.Err() != nil:
	case errors.Is(err, gossip.ErrRemoved):
		c.setOut(err, time.Time{})
	case !errors.Is(err, gossip.ErrStopped):
		return err
	default:
		c.setOut(errNotRunning, time.Time{}) // it has left
	}
	<-ctx.Done()
	return ctx.Err()
}

// followSecurity reports other certificates and keys, failures to replace them, and their end, until ctx or the node ends.
func (c *Connector) followSecurity(ctx context.Context, n *gossip.Node) {
	before, first := gossip.Security{}, true
	for now := range n.WatchSecurity(ctx) {
		if !first && !now.TakenOver.Equal(before.TakenOver) {
			c.report(connector.Notice{Kind: connector.NoticeSecurityChanged})
		}
		if now.Err != nil && !now.Failed.Equal(before.Failed) {
			c.report(connector.Notice{Kind: connector.NoticeSecurityFailed, Err: now.Err})
		}
		if now.Expiry != gossip.ExpiryNone && now.Expiry != before.Expiry {
			c.report(connector.Notice{Kind: connector.NoticeSecurityExpiring, Err: errExpiry(now)})
		}
		before, first = now, false
	}
}

// errExpiry describes the end of a certificate.
func errExpiry(s gossip.Security) error {
	if s.Expiry == gossip.ExpiryOver {
		return fmt.Errorf("the certificate of this node ended at %s", s.NotAfter.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("the certificate of this node ends at %s", s.NotAfter.UTC().Format(time.RFC3339))
}
