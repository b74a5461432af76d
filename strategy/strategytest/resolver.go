package strategytest

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// Resolver is a [github.com/goconvoke/convoke/strategy.Resolver] that follows a script. The
// zero Resolver is ready for use; a name without a script does not exist.
type Resolver struct {
	mu      sync.Mutex
	scripts map[string]func(context.Context) ([]netip.Addr, error)
	lookups int
}

// Answer makes the resolver answer with these addresses, none being an answer too.
func (r *Resolver) Answer(host string, addrs ...netip.Addr) {
	addrs = slices.Clone(addrs)
	r.script(host, func(context.Context) ([]netip.Addr, error) { return slices.Clone(addrs), nil })
}

// NotFound makes the name one that does not exist (NXDOMAIN).
func (r *Resolver) NotFound(host string) {
	r.script(host, func(context.Context) ([]netip.Addr, error) { return nil, notFound(host) })
}

// ServFail makes the server fail to answer (SERVFAIL).
func (r *Resolver) ServFail(host string) {
	r.script(host, func(context.Context) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	})
}

// Hang makes a lookup wait for the end of its context.
func (r *Resolver) Hang(host string) {
	r.script(host, func(ctx context.Context) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, IsTimeout: true}
	})
}

// Panic makes a lookup panic.
func (r *Resolver) Panic(host string) {
	r.script(host, func(context.Context) ([]netip.Addr, error) { panic("scripted panic of the resolver") })
}

// Lookups returns how many lookups there were.
func (r *Resolver) Lookups() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lookups
}

// LookupNetIP does what was scripted last for the host. The network selects the family: "ip", "ip4", "ip6".
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	r.lookups++
	script := r.scripts[host]
	r.mu.Unlock()
	if script == nil {
		return nil, notFound(host)
	}
	addrs, err := script(ctx)
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		return network == "ip4" && !a.Unmap().Is4() || network == "ip6" && a.Unmap().Is4()
	}), err
}

func (r *Resolver) script(host string, f func(context.Context) ([]netip.Addr, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.scripts == nil {
		r.scripts = make(map[string]func(context.Context) ([]netip.Addr, error))
	}
	r.scripts[host] = f
}

func notFound(host string) error {
	return &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}
