package multicast

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/strategy"
)

const (
	seedsEvery   = time.Minute      // names are resolved again,
	seedsRetry   = 10 * time.Second // sooner if one could not be
	seedsTimeout = 5 * time.Second
	perSeed      = 8 // addresses of one seed that are used
)

// seedsAnswer is what the names of the seeds stand for now.
type seedsAnswer struct {
	addrs []netip.AddrPort
	errs  []error
}

// resolveSeeds resolves the seeds again and again until ctx is done. A name that cannot be
// resolved keeps the addresses it had.
func resolveSeeds(ctx context.Context, c Config, r strategy.Resolver, out chan<- seedsAnswer) {
	known := make(map[string][]netip.AddrPort)
	for {
		var a seedsAnswer
		for _, s := range c.Seeds {
			addrs, err := resolveSeed(ctx, c, r, s)
			if err != nil {
				a.errs = append(a.errs, err)
			} else {
				known[s] = addrs
			}
			a.addrs = append(a.addrs, known[s]...)
		}
		wait := seedsEvery
		if len(a.errs) > 0 {
			wait = seedsRetry
		}
		select {
		case out <- a:
		case <-ctx.Done():
			return
		}
		if backoff.Sleep(ctx, wait) != nil {
			return
		}
	}
}

func resolveSeed(ctx context.Context, c Config, r strategy.Resolver, s string) ([]netip.AddrPort, error) {
	addr, err := c.seedAddr(s)
	if err != nil {
		return nil, fmt.Errorf("seed %s: %w", s, err)
	}
	host, portText, _ := net.SplitHostPort(addr) // canonical
	port, _ := strconv.ParseUint(portText, 10, 16)
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(ip, uint16(port))}, nil
	}
	limited, cancel := context.WithTimeout(ctx, seedsTimeout)
	defer cancel()
	ips, err := r.LookupNetIP(limited, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("seed %s: %w", s, err)
	}
	var all []netip.AddrPort
	for _, ip := range ips[:min(len(ips), perSeed)] {
		all = append(all, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return all, nil
}
