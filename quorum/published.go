package quorum

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// published is the newest table for readers on any goroutine, who take no lock. One goroutine sets it.
type published struct {
	now atomic.Pointer[publishedTable]
}

// publishedTable is a table, and a channel that is closed when there is a newer one.
type publishedTable struct {
	table   *core.TableView
	changed chan struct{}
}

func (p *published) set(t *core.TableView) {
	if old := p.now.Swap(&publishedTable{t, make(chan struct{})}); old != nil {
		close(old.changed)
	}
}

func (p *published) get() (*core.TableView, <-chan struct{}) {
	now := p.now.Load()
	return now.table, now.changed
}

// publisher writes own keys of the node without making the loop wait. Of each key the newest value counts; a write that fails is tried again.
type publisher struct {
	node *gossip.Node
	log  hclog.Logger

	mu     sync.Mutex
	values map[string]string // to be written; "" deletes
	wake   chan struct{}     // holds one
}

func newPublisher(node *gossip.Node, log hclog.Logger) *publisher {
	return &publisher{node: node, log: log, values: map[string]string{}, wake: make(chan struct{}, 1)}
}

// set publishes a value of a key, "" none.
func (p *publisher) set(key, value string) {
	p.mu.Lock()
	p.values[key] = value
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// publishRetry is the pause after a write that failed.
const publishRetry = time.Second

func (p *publisher) run(ctx context.Context) {
	for {
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
		for p.writeAll(ctx) != nil && backoff.Sleep(ctx, publishRetry) == nil {
		}
	}
}

// writeAll writes all that is waiting. After an error the rest waits again, unless there is a newer value.
func (p *publisher) writeAll(ctx context.Context) error {
	p.mu.Lock()
	values := p.values
	p.values = map[string]string{}
	p.mu.Unlock()
	for key, value := range values {
		if err := p.write(ctx, key, value); err != nil {
			p.mu.Lock()
			for k, v := range values {
				if _, newer := p.values[k]; !newer {
					p.values[k] = v
				}
			}
			p.mu.Unlock()
			p.log.Debug("cannot publish a key of the quorum; it is tried again", "key", key, "err", err)
			return err
		}
	}
	return nil
}

func (p *publisher) write(ctx context.Context, key, value string) error {
	if value == "" {
		return ignoreNotDurable(p.node.Delete(ctx, key))
	}
	return ignoreNotDurable(p.node.Set(ctx, key, value))
}

// withdrawWithin bounds the last writes of a member whose part has ended.
const withdrawWithin = time.Second

// withdraw takes back what would have others turn to this member. That does not wait for long: what stays behind costs them time, no more.
func (p *publisher) withdraw() {
	ctx, cancel := context.WithTimeout(context.Background(), withdrawWithin)
	defer cancel()
	for _, key := range []string{keyLeads, keyVoter} {
		if err := p.write(ctx, key, ""); err != nil {
			p.log.Debug("cannot withdraw a key of the quorum", "key", key, "err", err)
		}
	}
}
