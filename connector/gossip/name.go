package gossip

import (
	"context"
	"errors"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/peer"
)

const (
	firstNameWait   = 2 * time.Second // after another process took the name; doubles,
	longestNameWait = time.Minute     // up to this, ±20 %
	// nameTimeout bounds the wait for an answer of each member that is asked whether the other process is gone.
	nameTimeout = 5 * time.Second
	// maxContacts is how many members are asked at most.
	maxContacts = 16
)

// awaitName waits until the process that has this node's name is gone, and returns a node that takes part again. It fails only with ctx.
//
// It asks the process itself, and the members that the last node knew. A node that finds none of them runs again, and finds others by
// discovery: until it has agreed with one it ends with a conflict if it meets one that sees the other process up.
func (c *Connector) awaitName(ctx context.Context, last *gossip.Node, conflict *gossip.ConflictError) (*gossip.Node, error) {
	c.report(connector.Notice{Kind: connector.NoticeNameConflict, Peer: peer.Peer{ID: conflict.Name, Addr: conflict.Addr}, Err: conflict})
	contacts := contactsOf(last)
	for attempt := 1; ; attempt++ {
		wait := backoff.Jitter(nil, backoff.Doubling(firstNameWait, longestNameWait, attempt), 0.2)
		c.setOut(conflict, time.Now().Add(wait))
		if err := backoff.Sleep(ctx, wait); err != nil {
			return nil, err
		}
		n, err := c.yield(ctx, conflict, contacts)
		var again *gossip.ConflictError
		switch {
		case err == nil:
			c.log.Info("the other process with this node's name is gone; this node takes part again", "addr", n.Addr(), "other", conflict.Addr)
			c.report(connector.Notice{Kind: connector.NoticeNameRegained})
			return n, nil
		case errors.As(err, &again):
			if again.Addr == "" {
				again.Addr = conflict.Addr
			}
			conflict = again
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case attempt == 1:
			c.log.Warn("cannot start to take this node's name back, trying again", "addr", c.config.Listen, "error", err)
		}
	}
}

// yield starts a node that takes part only if the other process of a conflict is gone.
func (c *Connector) yield(ctx context.Context, conflict *gossip.ConflictError, contacts []string) (*gossip.Node, error) {
	config := c.config
	config.YieldTo = conflict.Generation
	n, err := gossip.Start(config)
	if err != nil {
		return nil, err
	}
	if conflict.Addr != "" {
		contacts = append([]string{conflict.Addr}, contacts...)
	}
	for _, addr := range contacts {
		limited, cancel := context.WithTimeout(ctx, nameTimeout)
		err := n.Join(limited, addr)
		cancel()
		if errors.Is(err, gossip.ErrConflict) || ctx.Err() != nil {
			n.Stop()
			return nil, errors.Join(n.Err(), ctx.Err())
		}
		if err == nil {
			break // this member has shown all that it knows
		}
	}
	return n, nil
}

// contactsOf returns the addresses of members that a node saw up when it ended.
func contactsOf(n *gossip.Node) []string {
	var addrs []string
	for m := range n.View().All() {
		if m.Up() && m.Name != n.Name() && len(addrs) < maxContacts {
			addrs = append(addrs, m.Addr)
		}
	}
	return addrs
}
