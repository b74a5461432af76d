package core

import "time"

// LinkID names one stream; the shell chooses it and never uses it again. 0 is none.
type LinkID uint64

// Input is an event that a shell passes to the core: the set is closed.
type Input interface{ input() }

type (
	// Tick reports that time has passed; due no later than [Core.NextTick].
	Tick struct{}

	// LinkUp reports a stream whose handshake is over. Attempt is that of the Dial it answers, 0 if there was none: the peer
	// dialled, or a Join of the application did.
	LinkUp struct {
		Link       LinkID
		ID         string
		Generation uint64
		Addr       string
		Attempt    uint64
		Dialled    bool          // this side dialled
		Opened     time.Duration // how long ago a peer that dialled got our hello: its first frame follows, late if packets are lost
		Clock      int64         // milliseconds since 1970 at the peer; 0: not known
		Rejoin     bool          // the peer was removed, knows it, and comes back on purpose
		Aged       bool          // the peer was without contact to its cluster for longer than Config.Horizon
		Since      Moment        // since when the history of the peer's cluster goes, see Core.Since; 0: not known
	}

	// Received hands over a frame, in the order of the stream.
	Received struct {
		Link   LinkID
		Frame  Frame
		Waited time.Duration // since it arrived: more than a moment means that this node is behind
	}

	// LinkDown reports the end of a stream. It needs not follow a Close.
	LinkDown struct{ Link LinkID }

	// DialFailed answers a Dial that brought no link. Refused: no process listens there, so the node is dead.
	DialFailed struct {
		Attempt uint64
		Refused bool
	}

	// Join adds addresses, host:port, to try in order to enter. They are tried for ever while no known member has that address.
	Join struct{ Addrs []string }

	// Set writes an own key, which goes by itself after TTL, if that is not 0.
	Set struct {
		Key, Value string
		TTL        time.Duration
	}

	// SetAddr changes the host:port that this node publishes, which must be valid as Config.Addr: the address of its host is another one
	// now. Links stay: those over the old address break by themselves.
	SetAddr struct{ Addr string }

	// Delete removes an own key; nothing happens if it is not there.
	Delete struct{ Key string }

	// SharedSet writes a key of the shared map, which goes by itself after TTL, if that is not 0.
	SharedSet struct {
		Key, Value string
		TTL        time.Duration
	}

	// SharedDelete removes a key of the shared map; nothing happens if it is not there.
	SharedDelete struct{ Key string }

	// Remove takes a member out of the cluster, whether it is up or not.
	Remove struct{ ID string }

	// Restore hands over what was remembered of an earlier life, before any other input.
	Restore struct {
		Members []Remember
		Shared  []SharedEntry
		Contact Moment // of the last Contact; 0: not known
		Floor   Stamp  // of the last Contact
		Since   Moment // of the last Contact
	}

	// Leave announces that this node leaves and closes all links. A core that left does nothing more.
	Leave struct{}
)

func (Tick) input()       {}
func (LinkUp) input()     {}
func (Received) input()   {}
func (LinkDown) input()   {}
func (DialFailed) input() {}
func (Join) input()       {}
func (Set) input()        {}
func (SetAddr) input()    {}
func (Delete) input()     {}
func (Leave) input()      {}

func (SharedSet) input()    {}
func (SharedDelete) input() {}
func (Remove) input()       {}
func (Restore) input()      {}

// Output is what a shell has to do, in order: the set is closed.
type Output interface{ output() }

type (
	// Send writes a frame to a link. A shell whose queue for the link is full closes the link and reports LinkDown.
	Send struct {
		Link  LinkID
		Frame Frame
	}

	// Dial asks for a stream. It must be answered by one LinkUp or DialFailed with its Attempt within Config.DialTimeout.
	// ID is "" where only the address is known.
	Dial struct {
		ID, Addr string
		Attempt  uint64
	}

	// Close ends a stream: graceful ones after all frames sent before.
	Close struct {
		Link     LinkID
		Graceful bool
	}

	// Changed reports that [Core.View] differs from before.
	Changed struct{}

	// Judged reports that a member became reachable, or ceased to be.
	Judged struct {
		ID string
		Up bool
	}

	// Conflict reports that another process has our name and a higher generation: it is the newer one and stays, this one is to
	// stop. The core has closed its links and does nothing more.
	Conflict struct {
		Generation uint64
		Addr       string // where it can be dialled; "": not known
	}

	// Renewed reports that this node took a higher generation, because the cluster remembered one not below the old. The
	// shell uses it in handshakes from now on.
	Renewed struct{ Generation uint64 }

	// Paused reports that this process was not running for a while, and that no deadline was moved by it.
	Paused struct{ For time.Duration }

	// Removed reports that this node was removed from the cluster. The core has closed its links and does nothing more.
	Removed struct{}

	// Remember is what a shell keeps of a member over a restart, if it keeps anything.
	Remember struct {
		ID, Addr   string
		Generation uint64
		Seen       Moment // when it was last up; 0: it is up
	}

	// Contact is until when this node took part in its cluster. A shell keeps it over a restart. It comes every minute, or more
	// often if Config.Horizon is below a thousand minutes.
	Contact struct {
		At    Moment
		Floor Stamp  // tombstones of the shared map up to it are gone
		Since Moment // since when the history of its cluster goes, see Core.Since
	}

	// Exchanged reports that this node has all that the peer of a link had when the link began. It comes once for each link.
	Exchanged struct{ Link LinkID }

	// Forget reports that a member is to be forgotten.
	Forget struct{ ID string }

	// RememberShared is an entry of the shared map to be kept, in place of the one with its key.
	RememberShared struct {
		Entry    *SharedEntry
		Restored bool          // it is from Restore, so it is kept already
		Arrived  bool          // a neighbour has sent it
		Age      time.Duration // if it has arrived: since its stamp, by cluster time; below 0 if a clock is ahead
	}

	// ForgetShared reports that a key of the shared map is gone for good.
	ForgetShared struct {
		Space Space
		Key   string
	}

	// Rejected reports that something a peer sent broke a limit or a rule and was dropped.
	Rejected struct {
		Link   LinkID
		Reason string
	}
)

func (Send) output()     {}
func (Dial) output()     {}
func (Close) output()    {}
func (Changed) output()  {}
func (Judged) output()   {}
func (Conflict) output() {}
func (Renewed) output()  {}
func (Paused) output()   {}
func (Rejected) output() {}

func (Removed) output()        {}
func (Remember) output()       {}
func (Forget) output()         {}
func (Contact) output()        {}
func (Exchanged) output()      {}
func (RememberShared) output() {}
func (ForgetShared) output()   {}
