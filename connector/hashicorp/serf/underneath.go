package serf

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/serf/serf"

	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
	"github.com/goconvoke/convoke/peer"
)

const (
	// broadcastTimeout bounds each of the two announcements of Leave: serf's and memberlist's.
	broadcastTimeout = 3 * time.Second
	// maxEvents are buffered between serf and their reader. serf may forward a few of them after it shut
	// down, when there is no reader any more; none of its goroutines is held up before that many.
	maxEvents = 1024
)

// underneath is a running serf: an [mlnet.Cluster].
type underneath struct {
	serf  *serf.Serf
	guard *guard
	ended sync.WaitGroup // the reader of events

	announcing sync.Mutex // held by the one Join that is in serf's own
}

var _ mlnet.Cluster = (*underneath)(nil)

// createCluster starts serf on an open listener.
func (c *Connector) createCluster(b mlnet.Binding) (mlnet.Cluster, error) {
	list, err := mlnet.ListConfig(b, string(c.config.Profile), c.config.Cluster, c.config.KeyBytes())
	if err != nil {
		return nil, err
	}
	g := &guard{self: c.config.Name, cluster: c.config.Cluster, public: b.Public, taken: b.NameTaken, log: b.Damper}
	events := make(chan serf.Event, maxEvents)
	conf := serf.DefaultConfig()
	conf.Init()
	conf.NodeName = c.config.Name
	conf.Tags = withCluster(c.config.Tags, c.config.Cluster)
	conf.MemberlistConfig = list
	conf.Logger, conf.LogOutput = b.Logger, nil
	conf.EventCh = events
	conf.Merge = g
	conf.BroadcastTimeout = broadcastTimeout
	// The loser of a vote would shut down and stay away; a second node of the name is logged instead.
	conf.EnableNameConflictResolution = false
	if c.tune != nil {
		c.tune(conf)
	}
	s, err := serf.Create(conf)
	if err != nil {
		return nil, err
	}
	u := &underneath{serf: s, guard: g}
	u.ended.Go(func() { drainEvents(events, s.ShutdownCh(), b.Changed) })
	return u, nil
}

// drainEvents reads every event of serf's, so that it never waits for us, until it has shut down.
func drainEvents(events <-chan serf.Event, end <-chan struct{}, changed func()) {
	for {
		select {
		case e := <-events:
			if _, ok := e.(serf.MemberEvent); ok {
				changed()
			}
		case <-end:
			return
		}
	}
}

// Join swaps the full state with the node at one address. serf's own Join lets in one caller at a time, so that one
// silent address would hold up all others: the address is tried without it first.
func (u *underneath) Join(target string) error {
	n, err := u.serf.Memberlist().Join([]string{target})
	if err != nil {
		return u.foreignError(err)
	}
	if n != 1 {
		return errors.New("serf joined no node")
	}
	u.announceJoin(target)
	return nil
}

// announceJoin sends the members that this node joins on purpose, in case they remember that it left; they notice
// without it as well, only later. If another announcement is in progress this one is skipped, so that no caller
// waits for a node that fell silent after its first answer.
func (u *underneath) announceJoin(target string) {
	if u.announcing.TryLock() {
		defer u.announcing.Unlock()
		_, _ = u.serf.Join([]string{target}, true)
	}
}

// Leave announces to the members that this node leaves on purpose. It takes at most twice broadcastTimeout and a
// second, whatever the timeout: serf knows only one that is set when it starts.
func (u *underneath) Leave(time.Duration) error { return u.serf.Leave() }

// Shutdown ends serf and the reader of its events.
func (u *underneath) Shutdown() error {
	err := u.serf.Shutdown()
	u.ended.Wait()
	return err
}

// Done is closed when serf was shut down.
func (u *underneath) Done() <-chan struct{} { return u.serf.ShutdownCh() }

// List returns the living members, sorted by name.
func (u *underneath) List() []peer.Peer {
	all := []peer.Peer{}
	u.eachMember(func(name string, addr netip.AddrPort) bool {
		all = append(all, peer.Peer{Addr: addr.String(), ID: name})
		return true
	})
	slices.SortFunc(all, func(a, b peer.Peer) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// listLeft returns the members that have left, or are about to, until serf forgets them.
func (u *underneath) listLeft() []peer.Peer {
	var all []peer.Peer
	for _, m := range u.serf.Members() {
		left := m.Status == serf.StatusLeft || m.Status == serf.StatusLeaving
		if addr, err := mlnet.AddrPort(m.Addr, m.Port); err == nil && left && m.Name != u.guard.self {
			all = append(all, peer.Peer{Addr: addr.String(), ID: m.Name})
		}
	}
	return all
}

// Has reports whether a living member has this address.
func (u *underneath) Has(addr netip.AddrPort) bool {
	found := false
	u.eachMember(func(_ string, a netip.AddrPort) bool {
		found = a == addr
		return !found
	})
	return found
}

// Any returns the address of some living member.
func (u *underneath) Any() (addr netip.AddrPort, ok bool) {
	u.eachMember(func(_ string, a netip.AddrPort) bool {
		addr, ok = a, true
		return false
	})
	return addr, ok
}

// eachMember calls for every living member but this node until the answer is false.
func (u *underneath) eachMember(call func(name string, addr netip.AddrPort) bool) {
	for _, m := range u.serf.Members() { // in random order
		if m.Status != serf.StatusAlive || m.Name == u.guard.self {
			continue
		}
		addr, err := mlnet.AddrPort(m.Addr, m.Port)
		if err == nil && !call(m.Name, addr) {
			return
		}
	}
}
