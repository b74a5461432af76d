package memberlist

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
	"github.com/goconvoke/convoke/peer"
)

// members is the list of living members, kept from memberlist's callbacks. They run under memberlist's own
// lock, so they touch this table and nothing else; and the nodes that memberlist.Members returns change
// under their reader's hands, so it is not called.
type members struct {
	self    string         // name of this node
	public  netip.AddrPort // address of this node
	changed func()         // must not block
	taken   func()         // our name is believed to live elsewhere; must not block
	log     *mlnet.Damper

	mu    sync.Mutex
	alive map[string]netip.AddrPort // by name, without this node
}

var (
	_ memberlist.EventDelegate    = (*members)(nil)
	_ memberlist.AliveDelegate    = (*members)(nil)
	_ memberlist.ConflictDelegate = (*members)(nil)
	_ memberlist.MergeDelegate    = (*members)(nil)
)

// NotifyJoin takes a node in.
func (m *members) NotifyJoin(n *memberlist.Node) { m.put(n) }

// NotifyUpdate takes a node's new address.
func (m *members) NotifyUpdate(n *memberlist.Node) { m.put(n) }

// NotifyLeave takes a node out: it left or was found dead.
func (m *members) NotifyLeave(n *memberlist.Node) {
	m.mu.Lock()
	delete(m.alive, n.Name)
	m.mu.Unlock()
	m.changed()
}

// NotifyAlive refuses a node that could not be listed or dialled.
func (m *members) NotifyAlive(n *memberlist.Node) error {
	if _, err := mlnet.AddrPort(n.Addr, n.Port); err != nil {
		return err
	}
	return mlnet.CheckName(n.Name)
}

// NotifyConflict logs that two nodes carry one name.
func (m *members) NotifyConflict(existing, other *memberlist.Node) {
	m.log.Clash(mlnet.Quote(existing.Name), existing.Address(), other.Address())
}

// NotifyMerge looks for our own name in what another node believes. After a restart at a new
// address the cluster refuses it until it has found our former self dead; memberlist would not ask again
// before its next full exchange.
func (m *members) NotifyMerge(believed []*memberlist.Node) error {
	for _, n := range believed {
		if n.Name != m.self || n.State == memberlist.StateDead || n.State == memberlist.StateLeft {
			continue
		}
		if addr, err := mlnet.AddrPort(n.Addr, n.Port); err != nil || addr == m.public {
			continue
		}
		m.log.Warn("the name of this node is taken by another address, asking again", "member", m.self, "addr", n.Address())
		m.taken()
	}
	return nil
}

// Any returns the address of some living member.
func (m *members) Any() (netip.AddrPort, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, addr := range m.alive { // in random order
		return addr, true
	}
	return netip.AddrPort{}, false
}

func (m *members) put(n *memberlist.Node) {
	addr, err := mlnet.AddrPort(n.Addr, n.Port)
	if err != nil || n.Name == m.self {
		return
	}
	m.mu.Lock()
	m.alive[n.Name] = addr
	m.mu.Unlock()
	m.changed()
}

// Has reports whether a living member has this address.
func (m *members) Has(addr netip.AddrPort) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.alive {
		if a == addr {
			return true
		}
	}
	return false
}

// List returns the living members, sorted by name.
func (m *members) List() []peer.Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]peer.Peer, 0, len(m.alive))
	for name, addr := range m.alive {
		all = append(all, peer.Peer{Addr: addr.String(), ID: name})
	}
	slices.SortFunc(all, func(a, b peer.Peer) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
