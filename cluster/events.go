package cluster

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// EventKind is what happened.
type EventKind string

// The kinds of events.
const (
	EventPeerConnected     EventKind = "connected"          // a wanted peer is connected
	EventPeerLost          EventKind = "lost"               // a peer crashed or cannot be reached: one that is wanted, or a member of a connector that gossips
	EventPeerLeft          EventKind = "left"               // as EventPeerLost, but it announced that it leaves: see connector.LeftLister
	EventPeerRemoved       EventKind = "removed"            // as EventPeerLost, but an operator removed it: see connector.RemovedLister
	EventPeerDropped       EventKind = "dropped"            // a peer that is no longer found was disconnected
	EventPeerForgotten     EventKind = "forgotten"          // a peer that could not be reached was not named by any answer for 10 minutes
	EventPeerUnlisted      EventKind = "unlisted"           // connect succeeds, but the list never shows the peer; once
	EventPeerForeign       EventKind = "foreign"            // a peer belongs to another cluster
	EventPeerUntrusted     EventKind = "untrusted"          // the keys or certificates of a peer are not those of this node
	EventDialFailed        EventKind = "dial_failed"        // a peer cannot be reached; repeated every 10 minutes
	EventDisconnectFailed  EventKind = "disconnect_failed"  // a peer that is no longer found cannot be disconnected; once
	EventSourceFailed      EventKind = "source_failed"      // a source gives no answer; the last one stands
	EventSourceRecovered   EventKind = "source_recovered"   // and gives one again
	EventSourceStale       EventKind = "source_stale"       // the last complete answer is older than 90 s
	EventStrategyRestarted EventKind = "strategy_restarted" // a strategy crashed and is started again
	EventStrategyFailed    EventKind = "strategy_failed"    // a strategy cannot work here
	EventSelfMissing       EventKind = "self_missing"       // this node is no longer in the answers
	EventTopologyFormed    EventKind = "formed"             // it is whole for the first time; once
	EventTopologyWhole     EventKind = "whole"
	EventTopologyNotWhole  EventKind = "not_whole" // any longer
	EventTopologyAdded     EventKind = "topology_added"
	EventTopologyChanged   EventKind = "topology_changed"
	EventTopologyRemoved   EventKind = "topology_removed"
	EventNameConflict      EventKind = EventKind(connector.NoticeNameConflict)     // another process has the name of this node
	EventNameRegained      EventKind = EventKind(connector.NoticeNameRegained)     // it is gone, and this node takes part again
	EventAddrChanged       EventKind = EventKind(connector.NoticeAddrChanged)      // this node advertises another address
	EventSecurityChanged   EventKind = EventKind(connector.NoticeSecurityChanged)  // other certificates or keys are in use
	EventSecurityFailed    EventKind = EventKind(connector.NoticeSecurityFailed)   // replaced certificates cannot be used
	EventSecurityExpiring  EventKind = EventKind(connector.NoticeSecurityExpiring) // the certificate of this node ends soon, or has ended
	EventReloaded          EventKind = "reloaded"
	EventReloadFailed      EventKind = "reload_failed" // the configuration file has mistakes
)

// EventKinds returns all kinds, in the order of the constants.
func EventKinds() []EventKind {
	return []EventKind{
		EventPeerConnected, EventPeerLost, EventPeerLeft, EventPeerRemoved, EventPeerDropped, EventPeerForgotten, EventPeerUnlisted, EventPeerForeign,
		EventPeerUntrusted, EventDialFailed, EventDisconnectFailed, EventSourceFailed, EventSourceRecovered, EventSourceStale,
		EventStrategyRestarted, EventStrategyFailed, EventSelfMissing, EventTopologyFormed, EventTopologyWhole, EventTopologyNotWhole,
		EventTopologyAdded, EventTopologyChanged, EventTopologyRemoved, EventNameConflict, EventNameRegained, EventAddrChanged,
		EventSecurityChanged, EventSecurityFailed, EventSecurityExpiring, EventReloaded, EventReloadFailed,
	}
}

// Event is one change. Fields that do not apply are zero.
type Event struct {
	At        time.Time
	Kind      EventKind
	Topology  string
	Connector string
	Peer      peer.Peer
	Err       error
	Missed    int // events lost just before this one, because the reader was too slow
}

// String returns the event as one line without the time.
func (e Event) String() string {
	parts := []string{string(e.Kind)}
	if e.Topology != "" {
		parts = append(parts, "topology "+e.Topology)
	}
	if e.Peer != (peer.Peer{}) {
		parts = append(parts, e.Peer.String())
	}
	line := strings.Join(parts, ", ")
	if e.Err != nil {
		line += ": " + e.Err.Error()
	}
	if e.Missed > 0 {
		line += fmt.Sprintf(" (%d events missed before)", e.Missed)
	}
	return line
}

// Events returns what happens from now on. The sequence ends with ctx or with Run. A reader that falls behind
// by more than 1,024 events loses the oldest ones; Missed of the next one is their number. A slow
// reader delays nothing else. Range over it once.
func (s *Supervisor) Events(ctx context.Context) iter.Seq[Event] {
	r := s.feed.subscribe()
	stop := context.AfterFunc(ctx, func() { s.feed.unsubscribe(r) })
	return func(yield func(Event) bool) {
		defer stop()
		defer s.feed.unsubscribe(r)
		for {
			e, ok := r.next(ctx)
			if !ok || !yield(e) {
				return
			}
		}
	}
}
