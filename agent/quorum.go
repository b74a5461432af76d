package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/quorum"
)

// errNotOpen is why there is no quorum before the node listens.
var errNotOpen = errors.New("the quorum is not open yet: the node does not listen")

// errNoSection is why there is none without the section of the file.
var errNoSection = errors.New("the file has no section quorum: add one, the same on all nodes, and start them again")

// quorumPart opens the quorum of the file as soon as the node listens, again when another node takes that one's place, and leaves it
// before the node leaves the cluster.
type quorumPart struct {
	config       quorum.Config // without Node
	groups       []cluster.Group
	log          hclog.Logger
	leaveTimeout time.Duration
	opened       chan struct{} // closed when one was opened

	mu     sync.Mutex
	now    *quorum.Quorum // the one that runs, or ran last
	shards map[string]*quorum.Shards
	err    error // why none runs
}

// newQuorumPart returns the part of a file with a section quorum.
func newQuorumPart(c *cluster.Config, log hclog.Logger, leaveTimeout time.Duration) *quorumPart {
	return &quorumPart{
		config: quorumConfig(c, log.Named("quorum")), groups: c.Groups, log: log.Named("quorum"), leaveTimeout: leaveTimeout,
		opened: make(chan struct{}), err: errNotOpen,
	}
}

// run opens the quorum on one node after the other until ctx ends. next returns the first node that runs and is another one than last, nil
// at the end of ctx.
func (p *quorumPart) run(ctx context.Context, next func(ctx context.Context, last *gossip.Node) *gossip.Node) {
	for node := next(ctx, nil); node != nil; node = next(ctx, node) {
		q, err := p.open(ctx, node)
		if err != nil {
			continue // the node has ended, or ctx
		}
		select {
		case <-ctx.Done():
			p.leave(ctx, q)
		case <-q.Done():
			p.fail(q.Err())
			if node.Err() == nil {
				p.log.Error("the quorum part of this node has ended and does not come back before the next start", "error", q.Err())
				select {
				case <-node.Done():
				case <-ctx.Done():
				}
			}
		}
	}
}

// Waits before the quorum is opened again after it could not be.
const (
	firstOpenWait   = time.Second
	longestOpenWait = 30 * time.Second
)

// open starts the quorum on a node. What stands in the way, such as a directory of which another process has the lock, is logged once
// and tried again until the node or ctx ends.
func (p *quorumPart) open(ctx context.Context, node *gossip.Node) (*quorum.Quorum, error) {
	config := p.config
	config.Node = node
	for failures := 1; ; failures++ {
		q, err := quorum.Start(config)
		if err == nil {
			p.set(q)
			return q, nil
		}
		p.fail(err)
		if node.Err() != nil {
			return nil, err
		}
		if failures == 1 {
			p.log.Warn("the quorum cannot be opened, trying again", "error", err)
		}
		if backoff.Sleep(ctx, backoff.Jitter(nil, backoff.Doubling(firstOpenWait, longestOpenWait, failures), 0.2)) != nil {
			return nil, err
		}
	}
}

// set publishes a quorum that was opened, with the groups of the file.
func (p *quorumPart) set(q *quorum.Quorum) {
	shards := make(map[string]*quorum.Shards)
	for _, g := range p.groups {
		if g.Level == cluster.LevelPrefer {
			continue
		}
		s, err := q.Shards(g.Name, groupSettings(g))
		if err != nil {
			p.log.Error("a group of the file cannot be used", "group", g.Name, "error", err)
			continue // Node.Shards returns the error
		}
		shards[g.Name] = s
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.now == nil
	p.now, p.shards, p.err = q, shards, nil
	if first {
		close(p.opened)
	}
}

func (p *quorumPart) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// current returns the quorum, or why none runs.
func (p *quorumPart) current() (*quorum.Quorum, error) {
	if p == nil {
		return nil, errNoSection
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.err
}

// group returns the shards of a group of the file.
func (p *quorumPart) group(g cluster.Group) (*quorum.Shards, error) {
	if p == nil {
		return nil, errNoSection
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch s := p.shards[g.Name]; {
	case s != nil:
		return s, nil
	case p.now == nil:
		return nil, p.err
	}
	return p.now.Shards(g.Name, groupSettings(g)) // returns why it could not be used
}

// awaitOpen waits until the quorum was opened once, and no longer than the node runs. What is open already is open under a context that has ended, too.
func (p *quorumPart) awaitOpen(ctx context.Context, ended <-chan struct{}) error {
	if p == nil {
		return nil
	}
	select {
	case <-p.opened:
		return nil
	default:
	}
	select {
	case <-p.opened:
		return nil
	case <-ended:
		return fmt.Errorf("the node has ended: %w", p.whyNotOpen())
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", p.whyNotOpen(), context.Cause(ctx))
	}
}

// whyNotOpen returns why no quorum runs; errNotOpen if one was opened just now.
func (p *quorumPart) whyNotOpen() error {
	_, err := p.current()
	if err == nil {
		return errNotOpen
	}
	return err
}
