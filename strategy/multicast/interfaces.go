package multicast

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// netInterface is a network interface as it was when the host was asked.
type netInterface struct {
	Index int
	Name  string
	Flags net.Flags
	Addrs []netip.Prefix // unicast, unmapped, without zones
}

func (i netInterface) up() bool {
	return i.Flags&net.FlagUp != 0 && i.Flags&net.FlagRunning != 0
}

func (i netInterface) loopback() bool { return i.Flags&net.FlagLoopback != 0 }

// addr returns the address to send from, invalid if the interface has none of the family. In
// IPv6 that is the link-local one, which every interface has.
func (i netInterface) addr(f family) netip.Addr {
	var first netip.Addr
	for _, p := range i.Addrs {
		a := p.Addr()
		if familyOf(a) != f {
			continue
		}
		if f == v4 || a.IsLinkLocalUnicast() {
			return a
		}
		if !first.IsValid() {
			first = a
		}
	}
	return first
}

// broadcasts returns the directed broadcast addresses of the interface's IPv4 networks.
func (i netInterface) broadcasts() []netip.Addr {
	var all []netip.Addr
	for _, p := range i.Addrs {
		if !p.Addr().Is4() || p.Bits() > 30 {
			continue
		}
		b := p.Addr().As4()
		for bit := p.Bits(); bit < 32; bit++ {
			b[bit/8] |= 1 << (7 - bit%8)
		}
		all = append(all, netip.AddrFrom4(b))
	}
	return all
}

// matches reports whether a setting names the interface, by name, address or network.
func (i netInterface) matches(setting string) bool {
	if i.Name == setting {
		return true
	}
	if network, err := netip.ParsePrefix(setting); err == nil {
		return slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return network.Contains(p.Addr()) })
	}
	addr, err := netip.ParseAddr(setting)
	return err == nil && slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == addr.Unmap().WithZone("") })
}

// sameMembership reports whether a membership of the group on i still holds on o.
func (i netInterface) sameMembership(o netInterface) bool {
	return i.Index == o.Index && slices.Equal(i.Addrs, o.Addrs)
}

// canSend reports whether heartbeats of a family can be sent by the interface.
func (i netInterface) canSend(f family, broadcast bool) bool {
	if !i.up() || !i.addr(f).IsValid() {
		return false
	}
	if i.loopback() {
		return f == v4 // Linux delivers on loopback though it lacks the flags, but not in IPv6
	}
	if broadcast && f == v4 {
		return i.Flags&net.FlagBroadcast != 0
	}
	return i.Flags&net.FlagMulticast != 0
}

// chooseInterfaces returns the interfaces to use for a family, of all that the host has.
func chooseInterfaces(all []netInterface, c Config, f family) []netInterface {
	if !c.usesFamily(f) {
		return nil
	}
	var named, usual, loopback []netInterface
	for _, i := range all {
		switch {
		case !i.canSend(f, c.Broadcast):
		case slices.ContainsFunc(c.Interfaces, i.matches):
			named = append(named, i)
		case i.loopback():
			loopback = append(loopback, i)
		case i.Flags&net.FlagPointToPoint == 0:
			usual = append(usual, i)
		}
	}
	switch {
	case len(c.Interfaces) > 0:
		return named
	case len(usual) > 0:
		return usual
	}
	return loopback
}

// missingInterfaces reports settings that name no interface able to carry any family.
func missingInterfaces(all []netInterface, c Config) []error {
	var errs []error
	for _, setting := range c.Interfaces {
		found := slices.ContainsFunc(all, func(i netInterface) bool {
			return i.matches(setting) &&
				(c.usesFamily(v4) && i.canSend(v4, c.Broadcast) || c.usesFamily(v6) && i.canSend(v6, c.Broadcast))
		})
		if !found {
			errs = append(errs, fmt.Errorf("interface %s is absent, down, or cannot multicast; this host has %s",
				setting, describeInterfaces(all)))
		}
	}
	return errs
}

// describeInterfaces lists interfaces for people.
func describeInterfaces(all []netInterface) string {
	if len(all) == 0 {
		return "no interfaces"
	}
	names := make([]string, 0, len(all))
	for _, i := range all {
		name := i.Name
		if !i.up() {
			name += " (down)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
