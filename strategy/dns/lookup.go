package dns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/goconvoke/convoke/peer"
)

const maxPeers = 10_000

// lookupRun asks for the peers of some names, once.
type lookupRun struct {
	client  *client
	setup   resolverSetup
	family  Family
	prefer6 bool // which family is taken where one is enough
}

// result is what became of a name, as of a [strategy.Lookup].
type result struct {
	peers []peer.Peer
	ttl   time.Duration // 0 means unknown
	err   error
}

// askAll asks for all subjects at once.
func (l *lookupRun) askAll(ctx context.Context, subjects []subject) result {
	each := make([]result, len(subjects))
	forEachParallel(len(subjects), func(i int) { each[i] = l.askCandidates(ctx, subjects[i]) })
	var all result
	var errs []error
	for _, f := range each {
		all.peers = append(all.peers, f.peers...)
		all.ttl = shorterTTL(all.ttl, f.ttl)
		errs = append(errs, f.err)
	}
	all.peers = uniquePeers(all.peers)
	if n := len(all.peers); n > maxPeers {
		all.peers = all.peers[:maxPeers]
		errs = append(errs, fmt.Errorf("the answer names %d peers, of which the first %d are taken", n, maxPeers))
	}
	all.err = errors.Join(errs...)
	return all
}

// askCandidates asks for one candidate of a subject after the other, until one has records. A candidate that could not be
// asked for may be the right one, so what a later one has is incomplete.
func (l *lookupRun) askCandidates(ctx context.Context, s subject) result {
	var all result
	var errs []error
	for _, name := range s.candidateNames(l.setup.search, l.setup.ndots) {
		var f result
		if s.kind == addresses {
			f = l.lookupHosts(ctx, s, name)
		} else {
			f = l.lookupServices(ctx, s, name)
		}
		errs = append(errs, f.err)
		all.ttl = shorterTTL(all.ttl, f.ttl)
		if len(f.peers) > 0 {
			all.peers = f.peers
			break
		}
	}
	all.err = errors.Join(errs...)
	return all
}

// lookupHosts asks for the addresses of a name.
func (l *lookupRun) lookupHosts(ctx context.Context, s subject, name string) result {
	a := l.lookupAddrs(ctx, name)
	f := result{ttl: a.ttl, err: a.err}
	for _, ip := range l.chooseAddrs(a.addrs, l.family != AnyFamily) {
		f.peers = append(f.peers, peer.Peer{Addr: netip.AddrPortFrom(ip, s.port).String()})
	}
	return f
}

// lookupServices asks for the SRV records of a name and for the addresses of those targets that came without.
func (l *lookupRun) lookupServices(ctx context.Context, s subject, name string) result {
	a := l.resolveQuestion(ctx, question{name, dns.TypeSRV})
	f := result{ttl: a.ttl, err: a.err}
	if s.kind == serviceTargets {
		for _, srv := range a.services {
			addr, err := peer.Addr(net.JoinHostPort(srv.target, strconv.Itoa(int(cmp.Or(s.port, srv.port)))))
			if err != nil {
				f.err = errors.Join(f.err, err)
				continue
			}
			f.peers = append(f.peers, peer.Peer{Addr: addr, Attrs: srv.attrs()})
		}
		return f
	}
	addrs, err := l.lookupTargets(ctx, a)
	f.err = errors.Join(f.err, err)
	if s.podID && l.family == SameFamily {
		l.oneFamily(addrs)
	}
	ids := podNames(a.services, addrs, s.podID)
	for _, srv := range a.services {
		for _, ip := range addrs[srv.target] {
			if len(f.peers) >= maxPeers { // records times addresses may be millions
				f.err = errors.Join(f.err, fmt.Errorf("%s names more than %d peers, of which as many are taken", name, maxPeers))
				return f
			}
			at := netip.AddrPortFrom(ip, cmp.Or(s.port, srv.port))
			f.peers = append(f.peers, peer.Peer{Addr: at.String(), ID: ids[srv.target], Attrs: srv.attrs()})
		}
	}
	return f
}

// lookupAddrs asks for the addresses of a name, of both families at once.
func (l *lookupRun) lookupAddrs(ctx context.Context, name string) answer {
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	switch l.family {
	case IPv4:
		types = types[:1]
	case IPv6:
		types = types[1:]
	}
	answers := make([]answer, len(types))
	forEachParallel(len(types), func(i int) { answers[i] = l.resolveQuestion(ctx, question{name, types[i]}) })
	var all answer
	for _, a := range answers {
		all.addrs = append(all.addrs, a.addrs...)
		all.ttl = shorterTTL(all.ttl, a.ttl)
		all.err = errors.Join(all.err, a.err)
	}
	return all
}

// resolveQuestion asks a question and follows aliases whose target the server did not answer for.
func (l *lookupRun) resolveQuestion(ctx context.Context, q question) answer {
	asked := q
	var ttl time.Duration
	for range maxAliases {
		m, err := l.client.askServers(ctx, asked)
		if m == nil {
			return answer{err: err}
		}
		a := readRecords(m, asked)
		a.err = errors.Join(a.err, err)
		if a.ttl = shorterTTL(a.ttl, ttl); a.alias == "" || a.err != nil {
			return a
		}
		ttl, asked.name = a.ttl, a.alias
	}
	return answer{err: fmt.Errorf("%s has more than %d aliases in a row", q.name, maxAliases)}
}

// chooseAddrs returns the addresses that are wanted; where one family is enough, those of the preferred one if there are any.
func (l *lookupRun) chooseAddrs(all []netip.Addr, one bool) []netip.Addr {
	all = slices.Clone(all)
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.Compact(all) // a record may be there twice
	var v4, v6 []netip.Addr
	for _, ip := range all {
		if ip.Is4() {
			v4 = append(v4, ip)
		} else {
			v6 = append(v6, ip)
		}
	}
	switch {
	case l.family == IPv4:
		return v4
	case l.family == IPv6:
		return v6
	case !one:
		return all
	case len(v6) > 0 && (l.prefer6 || len(v4) == 0):
		return v6
	}
	return v4
}

// uniquePeers sorts by address and keeps one peer of each: one with an ID before one without, then that of the
// record which is to be preferred. An ID that names several addresses names none.
func uniquePeers(peers []peer.Peer) []peer.Peer {
	slices.SortFunc(peers, func(a, b peer.Peer) int {
		if c := cmp.Compare(a.Addr, b.Addr); c != 0 {
			return c
		}
		if (a.ID == "") != (b.ID == "") {
			return cmp.Compare(b.ID, a.ID)
		}
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(b.Attrs, a.Attrs))
	})
	peers = slices.CompactFunc(peers, func(a, b peer.Peer) bool { return a.Addr == b.Addr })
	times := make(map[string]int)
	for _, p := range peers {
		times[p.ID]++
	}
	for i := range peers {
		if times[peers[i].ID] > 1 {
			peers[i].ID = ""
		}
	}
	return peers
}

// firstError returns the first of some errors and how many more there are.
func firstError(errs []error) error {
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	return fmt.Errorf("%w; and %d more", errs[0], len(errs)-1)
}

func shorterTTL(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// forEachParallel calls f(0) to f(n-1), as many at once as there are questions under way, and waits for all.
// A panic in one of them goes on in the caller, where strategy.Poll recovers it.
func forEachParallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var crash error
	slots := make(chan struct{}, maxParallel)
	for i := range n {
		slots <- struct{}{} // every f ends with its context
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					mu.Lock()
					defer mu.Unlock()
					crash = fmt.Errorf("%v\n%s", p, debug.Stack())
				}
				<-slots
			}()
			f(i)
		})
	}
	wg.Wait()
	if crash != nil {
		panic(crash)
	}
}
