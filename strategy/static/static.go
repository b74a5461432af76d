// Package static finds the peers that the configuration lists, by address or by name.
package static

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// parallel bounds how many names are resolved at once.
const parallel = 8

// Kind registers the strategy as "static".
var Kind = strategy.Kind[Config]{
	Name:    "static",
	Doc:     "a fixed list of host:port; names are resolved again and again",
	Default: DefaultConfig(),

	FormerNames: []string{"epmd"},

	New: newStrategy,
}

// newStrategy makes the strategy. A literal address is a peer as it stands. A name gives one peer for
// each of its addresses; where there is exactly one, the peer's ID is the configured host:port,
// so that a changed address shows as a move.
func newStrategy(c Config, env strategy.Env) (strategy.Strategy, error) {
	entries := make([]entry, 0, len(c.Hosts))
	for _, host := range c.eachHost() {
		e, err := parseEntry(host)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	l := &lookup{entries: entries, resolver: env.Resolver}
	if l.resolver == nil {
		l.resolver = net.DefaultResolver
	}
	return strategy.Poll(l.resolveAll, c.PollConfig, env), nil
}

// lookup is immutable.
type lookup struct {
	entries  []entry
	resolver strategy.Resolver
}

// result is what became of one entry.
type result struct {
	peers []peer.Peer
	err   error
	crash error // the resolver panicked
}

// resolveAll resolves every entry. Names that fail cost the answer its completeness only.
func (l *lookup) resolveAll(ctx context.Context) ([]peer.Peer, error) {
	results := make([]result, len(l.entries))
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, e := range l.entries {
		if e.literal {
			results[i].peers = []peer.Peer{{Addr: e.addr}}
			continue
		}
		slots <- struct{}{} // bounded by ctx: every resolver returns at its deadline
		wg.Go(func() {
			defer func() { <-slots }()
			results[i] = l.resolveEntry(ctx, e)
		})
	}
	wg.Wait()
	var peers []peer.Peer
	var errs []error
	for _, r := range results {
		if r.crash != nil {
			panic(r.crash) // in the goroutine of the lookup, where Poll recovers it
		}
		peers = append(peers, r.peers...)
		if r.err != nil {
			errs = append(errs, r.err)
		}
	}
	return uniqueByAddr(peers), errors.Join(errs...)
}

// resolveEntry looks one name up.
func (l *lookup) resolveEntry(ctx context.Context, e entry) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r = result{crash: fmt.Errorf("resolver: %v\n%s", p, debug.Stack())}
		}
	}()
	ips, err := l.resolver.LookupNetIP(ctx, "ip", e.host)
	if err != nil {
		return result{err: fmt.Errorf("resolve %s: %w", e.host, err)}
	}
	for _, ip := range ips {
		addr, err := peer.Addr(net.JoinHostPort(ip.String(), e.port))
		if err != nil {
			return result{err: fmt.Errorf("resolve %s: %w", e.host, err)}
		}
		r.peers = append(r.peers, peer.Peer{Addr: addr})
	}
	r.peers = uniqueByAddr(r.peers)
	switch len(r.peers) {
	case 0:
		r.err = fmt.Errorf("resolve %s: the name has no addresses", e.host)
	case 1:
		r.peers[0].ID = e.addr
	}
	return r
}

// uniqueByAddr sorts by address and keeps one peer of each, one with an ID before one without.
func uniqueByAddr(peers []peer.Peer) []peer.Peer {
	slices.SortFunc(peers, func(a, b peer.Peer) int {
		if c := cmp.Compare(a.Addr, b.Addr); c != 0 {
			return c
		}
		if (a.ID == "") != (b.ID == "") {
			return cmp.Compare(b.ID, a.ID)
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return slices.CompactFunc(peers, func(a, b peer.Peer) bool { return a.Addr == b.Addr })
}
