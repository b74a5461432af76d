// Package rancher finds the containers of a service in the metadata that Rancher 1.x offers to every container.
package rancher

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// Kind registers the strategy as "rancher".
var Kind = strategy.Kind[Config]{
	Name:    "rancher",
	Doc:     "containers of a service, from the metadata server of Rancher 1.x",
	Default: DefaultConfig(),

	FormerKeys: map[string]string{
		"polling_interval": "interval",
		"poll_interval":    "interval",
		"node_basename":    "leave it out; a peer is an address, and port is where it listens",
	},

	New: newStrategy,
}

// newStrategy makes the strategy. It asks the metadata server for the service every interval, and at once
// when the server reports that anything has changed.
func newStrategy(c Config, env strategy.Env) (strategy.Strategy, error) {
	base := strings.TrimRight(c.URL, "/")
	return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		s := client{dial: env.Dial, base: base}
		l := &peerLookup{config: c, client: s, log: env.Log}
		poll := c.PollConfig
		if c.Wait > 0 {
			changed := make(chan struct{}, 1)
			poll.Wake = changed
			w := &versionWatch{config: c, client: s, log: env.Log, changed: changed}
			var running sync.WaitGroup
			defer running.Wait()
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(ctx)
			defer cancel()
			running.Go(func() { w.run(ctx) })
		}
		return strategy.Poll(c.Filter(l.findPeers, env), poll, env).Run(ctx, out)
	}), nil
}

// peerLookup asks for the service. It belongs to the lookups of one Run, which never overlap.
type peerLookup struct {
	config Config
	client client
	log    hclog.Logger
	logged string // why no container is a peer, as last logged
}

func (l *peerLookup) findPeers(ctx context.Context) ([]peer.Peer, error) {
	path := servicePath(l.config)
	body, err := l.client.getAnswer(ctx, path)
	if err != nil {
		return nil, l.explainNotFound(err)
	}
	s, err := readService(body)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", l.client.base, path, err)
	}
	if err := s.isOf(l.config); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", l.client.base, path, err)
	}
	found, passed, err := s.Containers.peers(l.config)
	l.logFiltered(passed)
	if err != nil {
		return found, fmt.Errorf("%s/%s: %w", l.client.base, path, err)
	}
	return found, nil
}

// servicePath returns the path of the service, below the base. The names are checked.
func servicePath(c Config) string {
	service, stack := strings.ToLower(c.Service), strings.ToLower(c.Stack)
	switch {
	case service == "":
		return "self/service"
	case stack == "":
		return "self/stack/services/" + service
	}
	return "stacks/" + stack + "/services/" + service
}

// explainNotFound adds to an answer of 404 what it may mean; it never means that a service has no containers.
func (l *peerLookup) explainNotFound(err error) error {
	var refused *statusError
	if !errors.As(err, &refused) || refused.code != http.StatusNotFound {
		return err
	}
	switch {
	case l.config.Service == "":
		return fmt.Errorf("%w; the server knows no service for the address it is asked from: "+
			"is this a container of a service, and not on the network of its host? Else name service and stack", err)
	case l.config.Stack == "":
		return fmt.Errorf("%w; check service, and name its stack where that is not the own one", err)
	}
	return fmt.Errorf("%w; check stack and service", err)
}

// logFiltered logs once why no container of a service that has some is a peer.
func (l *peerLookup) logFiltered(out filteredCounts) {
	why := out.String()
	if out.kept > 0 || out.total == 0 {
		why = ""
	}
	if why != "" && why != l.logged {
		l.log.Warn("the service has containers but none is a peer", "service", servicePath(l.config), "containers", why)
	}
	l.logged = why
}
