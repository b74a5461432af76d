package gossip

import (
	"sync/atomic"

	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/internal/hist"
)

// Counters is what a node has done and met since its start. Each number only grows. They are read one after the other,
// so sums of them may be off by what happens meanwhile.
type Counters struct {
	// Accepted are the streams that others opened to us, those that were refused or came to nothing included.
	Accepted uint64
	// AcceptErrors are the times that a stream could not be accepted, as when the process is out of descriptors.
	AcceptErrors uint64
	// Probes are accepted streams that ended before they were of use and broke no rule: health checks, and nodes that only
	// wanted to know who lives here.
	Probes uint64
	// Dialled are the streams that we tried to open.
	Dialled uint64
	// DialsFailed are those of them that came to nothing, whatever the reason.
	DialsFailed uint64
	// Refused are the streams, accepted or dialled, that one side rejected.
	Refused Refusals

	// FramesIn and FramesOut are frames read and written, those of handshakes included.
	FramesIn, FramesOut uint64
	// BytesIn and BytesOut are what these took, before encryption; half a frame counts too.
	BytesIn, BytesOut uint64
	// FramesSkipped are frames of a type that a later version of the protocol has added.
	FramesSkipped uint64
	// FramesMalformed are frames that no version can have sent, or that were larger than allowed. Each ends its stream.
	FramesMalformed uint64
	// FramesRejected are the parts of frames that could be read and break a rule or a limit of the protocol.
	FramesRejected uint64

	// FramesDropped are frames that were not sent, because more was queued for a link than its peer took. Anti-entropy sends again
	// what was in them.
	FramesDropped uint64
	// ClocksAhead are writes of the shared map that were refused because their stamps are more than a minute ahead of the clocks
	// of this node and its neighbours.
	ClocksAhead uint64
	// Pauses are the times when this process did not run for a while.
	Pauses uint64
	// StreamsExpired are streams that were closed because the other side had shown a certificate or a key that was not trusted any longer.
	StreamsExpired uint64
	// NameConflicts are the times that this node met two processes of one name: an older process of a member, which it turned away, or a newer
	// one of its own name, because of which it stopped.
	NameConflicts uint64
	// Changes are what became of the other members.
	Changes MemberChanges
	// Propagation is how long writes of the shared map by other nodes took to this one, those that were made since it started: from the
	// stamp of the write until it came, by cluster time, so what the clocks of two nodes are apart is in it.
	Propagation Durations
}

// Durations is a histogram of durations in buckets with fixed bounds. Its methods return the count, the sum, and the buckets.
type Durations = hist.Snapshot

// MemberChanges are the changes of members between two views, by what they are. What happens and is over between two views does not count.
type MemberChanges struct {
	// Joined counts members that came up, for the first time or again.
	Joined uint64
	// Lost counts members that were up and cannot be reached any longer.
	Lost uint64
	// Left counts members that were up and announced that they leave.
	Left uint64
	// Removed counts members that are no longer known: they were forgotten or removed.
	Removed uint64
	// Updated counts all other changes: of the address, the keys, the number of links.
	Updated uint64
}

// Refusals are streams that one side rejected, by reason.
type Refusals struct {
	// ForeignCluster counts nodes of another cluster ID.
	ForeignCluster uint64
	// Untrusted counts keys that are not ours, and certificates that are expired, of another authority, or of another node.
	Untrusted uint64
	// BadHandshake counts streams that do not speak the protocol, or did not finish the handshake in time.
	BadHandshake uint64
	// Protocol counts nodes whose hello breaks a rule, such as one without a name, and nodes of an older protocol.
	Protocol uint64
	// Self counts streams to ourselves.
	Self uint64
	// TooMany counts inbound streams that were closed because of others: more than a bound allows were open at once.
	TooMany uint64
	// ByPeer counts streams that the other side rejected with a reason.
	ByPeer uint64
	// HungUp counts dialled streams that the other side ended without a reason: it was about to stop, or wants TLS or a pre-shared
	// key.
	HungUp uint64
}

// counters are Counters as they grow. They need no lock.
type counters struct {
	accepted, acceptErrors, probes, dialled, dialsFailed              atomic.Uint64
	framesIn, framesOut, bytesIn, bytesOut                            atomic.Uint64
	framesSkipped, framesMalformed, framesRejected                    atomic.Uint64
	framesDropped, pauses, clocksAhead, nameConflicts, streamsExpired atomic.Uint64
	changes                                                           [changeKinds]atomic.Uint64
	rejected                                                          [reasons]atomic.Uint64
	propagation                                                       hist.Histogram
}

// changeKind is what a MemberChanges counts.
type changeKind int

const (
	memberJoined changeKind = iota
	memberLost
	memberLeft
	memberRemoved
	memberUpdated
	changeKinds // how many there are
)

// kindOf returns what became of a member that differs between two views.
func (r renewal) kindOf() changeKind {
	was, is := r.old != nil && r.old.Up(), r.now != nil && r.now.Up()
	switch {
	case is && !was:
		return memberJoined
	case r.now == nil:
		return memberRemoved
	case was && r.now.Status == Left:
		return memberLeft
	case was && !is:
		return memberLost
	}
	return memberUpdated
}

// Counters returns what has been counted up to now. It costs little and does not wait.
func (n *Node) Counters() Counters {
	c := &n.count
	return Counters{
		Accepted: c.accepted.Load(), AcceptErrors: c.acceptErrors.Load(), Probes: c.probes.Load(),
		Dialled: c.dialled.Load(), DialsFailed: c.dialsFailed.Load(),
		FramesIn: c.framesIn.Load(), FramesOut: c.framesOut.Load(),
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(), FramesSkipped: c.framesSkipped.Load(),
		FramesMalformed: c.framesMalformed.Load(), FramesRejected: c.framesRejected.Load(),
		FramesDropped: c.framesDropped.Load(), Pauses: c.pauses.Load(), ClocksAhead: c.clocksAhead.Load(),
		StreamsExpired: c.streamsExpired.Load(),
		NameConflicts:  c.nameConflicts.Load(),
		Propagation:    c.propagation.Read(),
		Changes: MemberChanges{
			Joined: c.changes[memberJoined].Load(), Lost: c.changes[memberLost].Load(), Left: c.changes[memberLeft].Load(),
			Removed: c.changes[memberRemoved].Load(), Updated: c.changes[memberUpdated].Load(),
		},
		Refused: Refusals{
			ForeignCluster: c.rejected[foreignCluster].Load(), Untrusted: c.rejected[untrusted].Load(),
			BadHandshake: c.rejected[badHandshake].Load(), Protocol: c.rejected[badHello].Load() + c.rejected[otherProtocol].Load(),
			Self: c.rejected[self].Load(), TooMany: c.rejected[tooMany].Load(), ByPeer: c.rejected[byPeer].Load(),
			HungUp: c.rejected[hungUp].Load(),
		},
	}
}

// meter counts the bytes of a stream.
type meter struct {
	transport.Conn
	count *counters
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.count.bytesIn.Add(uint64(n))
	return n, err
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.Conn.Write(b)
	m.count.bytesOut.Add(uint64(n))
	return n, err
}
