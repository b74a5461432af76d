package gossip

import "sync"

// gate bounds how many streams are in at once, in all and of one host.
type gate struct {
	most, perHost int

	mu    sync.Mutex
	in    int
	hosts map[string]int // who is in, and how often
}

func newGate(most, perHost int) *gate {
	return &gate{most: most, perHost: perHost, hosts: make(map[string]int)}
}

// enter reports whether a host may have one more; if so, leave must follow.
func (g *gate) enter(host string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.in >= g.most || g.hosts[host] >= g.perHost {
		return false
	}
	g.in++
	g.hosts[host]++
	return true
}

func (g *gate) leave(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in--
	if g.hosts[host]--; g.hosts[host] == 0 {
		delete(g.hosts, host)
	}
}
