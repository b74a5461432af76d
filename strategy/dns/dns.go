// Package dns finds the peers that DNS names: by A and AAAA records, or by SRV records, which hold the port too. It has
// two kinds, one for names of any sort and one for the headless Services of Kubernetes.
package dns

import (
	"context"
	"strings"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/podenv"
)

// Kind registers the strategy as "dns".
var Kind = strategy.Kind[Config]{
	Name:    "dns",
	Doc:     "A, AAAA and SRV records of DNS names, asked for again and again",
	Default: DefaultConfig(),

	FormerNames: []string{"dns_poll"},
	FormerKeys: map[string]string{
		"query":            "names",
		"polling_interval": "interval",
		"poll_interval":    "interval",
		"resolver":         "servers",
		"node_basename":    "leave it out; a peer is an address, and port is where it listens",
	},

	New: newStrategy,
}

// newStrategy makes the strategy. It asks for all names at once and takes what they answer together: a name without records has
// no peers, a name that cannot be asked for makes the answer incomplete.
func newStrategy(c Config, env strategy.Env) (strategy.Strategy, error) {
	var subjects []subject
	for _, name := range c.Names {
		subject, err := parseName(name, c.Port)
		if err != nil {
			return nil, err
		}
		if len(c.Servers) > 0 && !strings.HasSuffix(subject.name, ".") {
			subject.name += "." // search names belong to the servers of resolv.conf
		}
		subjects = append(subjects, subject)
	}
	fixed := func(resolverSetup) ([]subject, error) { return subjects, nil }
	return newPoller(c.Source, env, c.Sampled, func() *resolver {
		return &resolver{family: c.Family, subjects: fixed}
	}), nil
}

// newPoller makes a strategy that asks again and again; fresh makes what one run remembers.
func newPoller(src Source, env strategy.Env, sampled bool, fresh func() *resolver) strategy.Strategy {
	return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		f := fresh()
		f.source, f.env = src, env
		f.conf.path = src.ResolvConf
		poll := src.PollConfig
		poll.Next = func() time.Duration { return f.ttl }
		if sampled {
			out = newSampleUnion(out)
		}
		return strategy.Poll(f.findPeers, poll, env).Run(ctx, out)
	})
}

// resolver remembers what a run needs from one lookup to the next. It belongs to the lookups, which never overlap.
type resolver struct {
	source   Source
	env      strategy.Env
	family   Family
	subjects func(resolverSetup) ([]subject, error)
	onAnswer func(result) // called with every answer, if set

	conf  resolvConf
	stale bool          // resolv.conf could not be read the last time
	ttl   time.Duration // of the last answer
}

// findPeers looks up once.
func (f *resolver) findPeers(ctx context.Context) ([]peer.Peer, error) {
	f.ttl = 0
	s, err := f.chooseServers()
	if err != nil {
		return nil, err
	}
	subjects, err := f.subjects(s)
	if err != nil {
		return nil, err
	}
	l := lookupRun{client: newClient(s.servers, f.env.Dial), setup: s, family: f.family, prefer6: podenv.PrefersIPv6(f.env.Self())}
	all := l.askAll(ctx, subjects)
	if f.ttl = all.ttl; f.onAnswer != nil {
		f.onAnswer(all)
	}
	return all.peers, all.err
}

// chooseServers returns whom to ask.
func (f *resolver) chooseServers() (resolverSetup, error) {
	var s resolverSetup
	if f.conf.path != "" {
		var err error
		if s, err = f.conf.readCurrent(); err != nil && len(f.source.Servers) == 0 {
			return resolverSetup{}, err
		}
		if stale := f.conf.stale != nil && err == nil; stale != f.stale {
			if f.stale = stale; stale {
				f.env.Log.Warn("resolv.conf cannot be read, its last content is used", "error", f.conf.stale)
			}
		}
	}
	if len(f.source.Servers) > 0 {
		s.servers = f.source.Servers
	}
	return s, nil
}
