package hostaddr

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
)

const (
	// followEvery is the time between two looks at the interfaces, ±20 %. A look costs some system calls and sends nothing.
	followEvery = 5 * time.Second
	// followLooks is how many looks in a row must find the same new address: while an interface comes up, the address of the
	// default route is another one for a moment.
	followLooks = 2
)

// Follow calls moved, one call at a time, with each address that takes the place of the one before, first of current, until ctx is done.
// An address is replaced when no interface of this host has it any longer, or when it is a loopback address because
// the node started before the network did. Another default route alone changes nothing, since the address is still reachable, and a host
// that has only loopback addresses for a while keeps the one that it had.
func Follow(ctx context.Context, current netip.Addr, moved func(netip.Addr)) {
	follow(ctx, current, lookUpReplacement, moved)
}

// follow is Follow with a function that returns the replacement of an address at this moment, if there is one.
func follow(ctx context.Context, current netip.Addr, replacement func(netip.Addr) (netip.Addr, bool), moved func(netip.Addr)) {
	var candidate netip.Addr
	for looks := 0; backoff.Sleep(ctx, backoff.Jitter(nil, followEvery, 0.2)) == nil; {
		addr, ok := replacement(current)
		switch {
		case !ok:
			looks = 0
			continue
		case looks > 0 && addr == candidate:
			looks++
		default:
			candidate, looks = addr, 1
		}
		if looks >= followLooks {
			current, looks = candidate, 0
			moved(current)
		}
	}
}

// lookUpReplacement asks the system for the routes and interfaces, and chooses among them.
func lookUpReplacement(current netip.Addr) (netip.Addr, bool) {
	own, err := interfaceAddrs()
	if err != nil || !needsReplacement(current, own) {
		return netip.Addr{}, false
	}
	addr, ok := choose(outboundRoutes(), own)
	return addr, ok && !addr.IsLoopback()
}

// needsReplacement reports whether an address is a loopback address, or none of those of the interfaces.
func needsReplacement(current netip.Addr, own []netip.Addr) bool {
	return current.IsLoopback() || !slices.ContainsFunc(own, func(a netip.Addr) bool { return a.Unmap().WithZone("") == current })
}
