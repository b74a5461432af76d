// Package hostsfile finds the peers that a file lists, one a line, and follows its changes.
package hostsfile

import (
	"context"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/internal/reread"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// Kind registers the strategy as "hostsfile".
var Kind = strategy.Kind[Config]{
	Name:    "hostsfile",
	Doc:     "a file with one host:port a line, read again when it changes",
	Default: DefaultConfig(),

	FormerNames: []string{"erlang_hosts"},

	New: newStrategy,
}

// newStrategy makes the strategy. It looks at the file every interval and reads it when its inode, size or
// modification time differs, so that a rename over it and the symlink swap of a ConfigMap are seen.
// Names are passed on as they are: the connector resolves them.
func newStrategy(c Config, env strategy.Env) (strategy.Strategy, error) {
	poll := c.PollConfig
	poll.MaxBackoff = max(poll.Interval, time.Second) // looking at a file costs nothing
	return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		r := &reader{config: c}
		return strategy.Poll(r.lookup, poll, env).Run(ctx, out)
	}), nil
}

// reader remembers what it last read. It belongs to the lookups of one Run, which never overlap.
type reader struct {
	config Config
	file   reread.File
	peers  []peer.Peer
	err    error
}

func (r *reader) lookup(context.Context) ([]peer.Peer, error) {
	data, changed, err := r.file.Read(r.config.Path)
	if err != nil {
		return nil, fmt.Errorf("read the hosts file: %w", err)
	}
	if changed {
		r.peers, r.err = parseHosts(r.config.Path, data, r.config.Port)
	}
	return r.peers, r.err
}
