package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxTargets is how many targets of one name are asked for, because their addresses did not come with the SRV records.
const maxTargets = 512

func (s service) attrs() string { return fmt.Sprintf("priority=%d,weight=%d", s.priority, s.weight) }

// lookupTargets returns the addresses of the targets of SRV records, of one family each: those that came with the records
// or, where there is more to be known, those that the targets are asked for.
func (l *lookupRun) lookupTargets(ctx context.Context, a answer) (map[string][]netip.Addr, error) {
	all := make(map[string][]netip.Addr)
	var names []string
	both := l.hasPreferredFamily(a)
	for _, srv := range a.services {
		if _, done := all[srv.target]; done {
			continue
		}
		all[srv.target] = l.chooseAddrs(a.glue[srv.target], true)
		if !l.hasAllAddrs(srv.target, a.glue[srv.target], both) {
			names = append(names, srv.target)
		}
	}
	var errs []error
	if n := len(names); n > maxTargets {
		names = names[:maxTargets]
		errs = append(errs, fmt.Errorf("%d targets came without their addresses, of which %d are asked for", n, maxTargets))
	}
	answers := make([]answer, len(names))
	forEachParallel(len(names), func(i int) { answers[i] = l.lookupAddrs(ctx, names[i]) })
	for i, name := range names {
		known := slices.Concat(a.glue[name], answers[i].addrs)
		all[name] = l.chooseAddrs(known, true)
		if err := answers[i].err; err != nil {
			errs = append(errs, err)
		} else if len(known) == 0 {
			errs = append(errs, fmt.Errorf("target %s has no address", name))
		}
	}
	return all, firstError(errs)
}

// hasPreferredFamily reports whether addresses of the preferred family came with any target that has a name.
func (l *lookupRun) hasPreferredFamily(a answer) bool {
	return slices.ContainsFunc(a.services, func(srv service) bool {
		came := a.glue[srv.target]
		return !namedByAddr(srv.target, came) && slices.ContainsFunc(came, func(ip netip.Addr) bool { return ip.Is6() == l.prefer6 })
	})
}

// hasAllAddrs reports whether the addresses that came with a target are all that is wanted of it. A server may leave some out,
// without a sign of it, where the message is full. That it left out the preferred family of all targets is not
// assumed, only that of some, or else each round would ask for what does not exist.
func (l *lookupRun) hasAllAddrs(target string, came []netip.Addr, preferredCame bool) bool {
	wants6 := l.prefer6
	switch {
	case len(came) == 0:
		return false
	case namedByAddr(target, came): // it has no other
		return true
	case l.family == IPv4 || l.family == IPv6:
		wants6 = l.family == IPv6
	case !preferredCame:
		return true
	}
	return slices.ContainsFunc(came, func(ip netip.Addr) bool { return ip.Is6() == wants6 })
}

// oneFamily leaves out the targets that are named by an address which is not of the family wanted, if others are: a pod
// without a name has one target for each of its addresses, and is one node.
func (l *lookupRun) oneFamily(addrs map[string][]netip.Addr) {
	var all []netip.Addr
	for target, ips := range addrs {
		if namedByAddr(target, ips) {
			all = append(all, ips[0])
		}
	}
	wanted := l.chooseAddrs(all, true)
	for target, ips := range addrs {
		if namedByAddr(target, ips) && !slices.Contains(wanted, ips[0]) {
			delete(addrs, target)
		}
	}
}

// podNames returns the IDs of targets. One that has several addresses or ports is not one node, and one that is
// named by its address has no name of its own.
func podNames(services []service, addrs map[string][]netip.Addr, firstLabel bool) map[string]string {
	ids := make(map[string]string)
	ports := make(map[string]uint16)
	for _, srv := range services {
		port, known := ports[srv.target]
		if ports[srv.target] = srv.port; known && port != srv.port || len(addrs[srv.target]) != 1 {
			ids[srv.target] = ""
			continue
		}
		if _, taken := ids[srv.target]; taken {
			continue
		}
		label, _, _ := strings.Cut(srv.target, ".")
		switch {
		case namedByAddr(srv.target, addrs[srv.target]):
			ids[srv.target] = ""
		case firstLabel:
			ids[srv.target] = label
		default:
			ids[srv.target] = strings.TrimSuffix(srv.target, ".")
		}
	}
	return ids
}

// namedByAddr reports whether a target is named by its one address, as Kubernetes names pods without a hostname:
// 10-0-0-7, fd00--7, and fd00--0 for fd00::, as a label does not end in a hyphen.
func namedByAddr(target string, ips []netip.Addr) bool {
	if len(ips) != 1 {
		return false
	}
	label, _, _ := strings.Cut(target, ".")
	dashed := strings.NewReplacer(".", "-", ":", "-").Replace(ips[0].String())
	if strings.HasSuffix(dashed, "-") {
		dashed += "0"
	}
	if label == dashed {
		return true
	}
	v4, err := netip.ParseAddr(strings.ReplaceAll(label, "-", "."))
	return err == nil && v4.Is4()
}
