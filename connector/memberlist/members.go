package memberlist

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"unicode"

	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/peer"
)

// maxName bounds the name of a node, in bytes.
const maxName = 255

// members is the list of living members, kept from memberlist's callbacks. They run under memberlist's own
// lock, so they touch this table and nothing else; and the nodes that memberlist.Members returns change
// under their reader's hands, so nobody asks it.
type members struct {
	self    string         // name of this node
	public  netip.AddrPort // address of this node
	changed func()         // must not block
	log     *damper

	// taken is signalled when a member that we exchanged state with believes our name to live
	// at another address: it will refuse ours. The buffer of one holds a signal until it is read.
	taken chan struct{}

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

// NotifyAlive refuses a node that nobody could list or dial.
func (m *members) NotifyAlive(n *memberlist.Node) error {
	if _, err := addrPortOf(n); err != nil {
		return err
	}
	return checkName(n.Name)
}

// NotifyConflict logs that two nodes carry one name.
func (m *members) NotifyConflict(existing, other *memberlist.Node) {
	m.log.clash(quote(existing.Name), existing.Address(), other.Address())
}

// NotifyMerge looks for our own name in what another node believes. After a restart at a new
// address the cluster refuses it until it has found our former self dead; memberlist would not ask again
// before its next full exchange.
func (m *members) NotifyMerge(believed []*memberlist.Node) error {
	for _, n := range believed {
		if n.Name != m.self || n.State == memberlist.StateDead || n.State == memberlist.StateLeft {
			continue
		}
		if addr, err := addrPortOf(n); err != nil || addr == m.public {
			continue
		}
		m.log.warn("the name of this node is taken by another address, asking again", "member", m.self, "addr", n.Address())
		m.askAgain()
	}
	return nil
}

func (m *members) askAgain() {
	select {
	case m.taken <- struct{}{}:
	default:
	}
}

// any returns the address of some living member.
func (m *members) any() (netip.AddrPort, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, addr := range m.alive { // in random order
		return addr, true
	}
	return netip.AddrPort{}, false
}

func (m *members) put(n *memberlist.Node) {
	addr, err := addrPortOf(n)
	if err != nil || n.Name == m.self {
		return
	}
	m.mu.Lock()
	m.alive[n.Name] = addr
	m.mu.Unlock()
	m.changed()
}

// has reports whether a living member has this address.
func (m *members) has(addr netip.AddrPort) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.alive {
		if a == addr {
			return true
		}
	}
	return false
}

// list returns the living members, sorted by name.
func (m *members) list() []peer.Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]peer.Peer, 0, len(m.alive))
	for name, addr := range m.alive {
		all = append(all, peer.Peer{Addr: addr.String(), ID: name})
	}
	slices.SortFunc(all, func(a, b peer.Peer) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// addrPortOf returns where a node says it is.
func addrPortOf(n *memberlist.Node) (netip.AddrPort, error) {
	ip, ok := netip.AddrFromSlice(n.Addr)
	ip = ip.Unmap()
	if !ok || ip.IsUnspecified() || ip.IsMulticast() || n.Port == 0 {
		return netip.AddrPort{}, fmt.Errorf("nobody can dial %v port %d", n.Addr, n.Port)
	}
	return netip.AddrPortFrom(ip, n.Port), nil
}

// checkName tells what is wrong with the name of a node.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the name of a node is empty")
	case len(name) > maxName:
		return fmt.Errorf("the name of a node has %d bytes, at most %d are allowed", len(name), maxName)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("the name of a node holds %q", r)
		}
	}
	return nil
}
