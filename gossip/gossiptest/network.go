package gossiptest

import (
	"maps"
	"time"
)

// Cut cuts both ways between two hosts. What is written meanwhile arrives after Heal, as over TCP; new connections hang.
func (c *Cluster) Cut(a, b string) {
	c.t.Helper()
	c.hostNamed(a)
	c.hostNamed(b)
	c.updateCuts(func(cut map[direction]bool) { cut[direction{a, b}], cut[direction{b, a}] = true, true })
}

// CutOneWay cuts the way from one host to another one; the other way stays open.
func (c *Cluster) CutOneWay(from, to string) {
	c.t.Helper()
	c.hostNamed(from)
	c.hostNamed(to)
	c.updateCuts(func(cut map[direction]bool) { cut[direction{from, to}] = true })
}

// Isolate cuts a host off from all others.
func (c *Cluster) Isolate(name string) {
	c.t.Helper()
	c.hostNamed(name)
	for _, other := range c.order {
		if other != name {
			c.Cut(name, other)
		}
	}
}

// Partition cuts all ways between hosts of different groups. Hosts that are in no group are not cut off.
func (c *Cluster) Partition(groups ...[]string) {
	c.t.Helper()
	for i, group := range groups {
		for _, others := range groups[:i] {
			for _, a := range group {
				for _, b := range others {
					c.Cut(a, b)
				}
			}
		}
	}
}

// Heal ends all cuts.
func (c *Cluster) Heal() { c.updateCuts(func(cut map[direction]bool) { clear(cut) }) }

// updateCuts replaces the cuts: the network reads them from other goroutines.
func (c *Cluster) updateCuts(with func(map[direction]bool)) {
	cut := maps.Clone(c.cut)
	with(cut)
	c.cut = cut
	c.net.Cut(func(from, to string) bool { return cut[direction{from, to}] })
}

// bothWaysOpen reports whether both ways between two hosts are open.
func (c *Cluster) bothWaysOpen(a, b string) bool {
	return !c.cut[direction{a, b}] && !c.cut[direction{b, a}]
}

// Latency sets how long each write travels, one way.
func (c *Cluster) Latency(d time.Duration) { c.net.Delay(d) }

// Loss sets the share of writes that are lost, 0 to 0.9. Streams lose nothing: what is lost is sent again 200 ms later, twice that
// if it is lost again, and holds up what follows on its stream. The same seed chooses the same writes.
func (c *Cluster) Loss(share float64, seed uint64) { c.net.Lose(share, seed) }
