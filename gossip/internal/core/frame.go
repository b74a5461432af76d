package core

// Frame is what travels on a stream between two nodes. The set is closed: Hello and Refuse belong to the handshake, which the
// transport makes before the core hears of a link; the others are handed to Step as they arrive. Frames are immutable once built:
// one frame may be on its way to many nodes.
type Frame interface{ frame() }

// NodeID is the 64-bit hash of a node's name ([HashID]); it stands for the name on the wire.
type NodeID uint64

// Hello is the first frame on a stream, in both directions. The core neither sends nor takes it: its content comes in [LinkUp].
type Hello struct {
	Protocol   uint16 // version of the protocol the sender speaks, highest
	Cluster    string // cluster ID; nodes of another one are refused
	ID         string // name of the sender, 1 to 255 bytes
	Generation uint64 // of the sender's life
	Addr       string // host:port where the sender can be dialled
	Clock      int64  // milliseconds since 1970 at the sender
	Rejoin     bool   // the sender was removed, knows it, and comes back on purpose
	Aged       bool   // the sender was without contact to its cluster for longer than Config.Horizon
	Since      Moment // since when the history of the sender's cluster goes, see Core.Since; 0: not known
}

// Refuse ends a handshake with the reason, so that both sides can log it.
type Refuse struct {
	Reason string // lower case, at most 255 bytes
}

// Beat is the heartbeat. It is sent every Config.Heartbeat whatever else is sent, and at once when one of its flags changes.
type Beat struct {
	Hash   uint64 // of all records of the sender
	Known  uint32 // number of records of the sender, while the link is new; else 0
	Wanted bool   // the sender wants this link: on one of its rings, or because it lacks most of those
	Eager  bool   // the sender takes bulk on this link
	Shared uint64 // hash of the sender's shared map
	Clock  int64  // milliseconds since 1970 at the sender; 0: not in this beat
	Lag    uint32 // milliseconds that what has arrived at the sender waits until the sender takes it; 0: it keeps up
}

// NumBuckets is the number of parts the records are divided into to find a difference; a record is in bucket NodeID % 64.
const NumBuckets = 64

// Buckets summarizes what the sender has, as one hash per bucket. It is answered with a Digest of the buckets that differ.
type Buckets struct {
	Hashes [NumBuckets]uint64
}

// Digest lists records of the sender with their versions. The receiver sends the deltas the sender lacks, and asks in turn, with
// a Digest of Mask 0, for what it lacks itself.
type Digest struct {
	Mask    uint64 // bit b: Entries has every record of bucket b; 0: only the records listed are asked for
	Reply   bool   // answers a Digest whose sender lacks more than fits into one window: it is to ask for what it lacks
	Entries []DigestEntry
}

// DigestEntry is which version of a record the sender has; all zero but Node: none.
type DigestEntry struct {
	Node       NodeID
	Generation uint64
	Version    uint64
	Floor      uint64
	Seen       Moment // when it was last up, rounded up, once it has been gone for long, see slot.gone; 0: it has not
}

// Delta carries parts of records.
type Delta struct {
	Records []RecordDelta
	Last    bool // ends the answer to a Digest of Mask 0
}

// RecordDelta is what one record gained from version From (excluded) to To (included), without a gap. From 0 stands for the whole
// record and replaces an older one. Links and Entries are ascending by version, all in (From, To], and no version is in both.
type RecordDelta struct {
	Node       NodeID
	ID         string // the name; only with From 0, else ""
	Generation uint64
	From, To   uint64
	Floor      uint64 // tombstones up to this version are gone
	Seen       Moment // when the node was last up at any member that the sender has news of; 0: it is up at the sender
	Urgent     bool   // relay at once; otherwise it may wait for company (Config.Relax)
	Links      []LinkEntry
	Entries    []Entry // all but links
}

// Kind is the class of an entry; each kind has its own key space.
type Kind uint8

// The kinds of entries. An unknown kind is kept and relayed as it is, so that a later protocol can add one.
const (
	KindUser Kind = 1 // key and value of the application
	KindLink Kind = 2 // a LinkEntry; never in RecordDelta.Entries, unless it is not one that we understand
	KindMeta Kind = 3 // keys of the protocol: MetaAddr, MetaLeft
)

// Keys of KindMeta.
const (
	MetaAddr     = "a" // value: host:port where the node can be dialled
	MetaLeft     = "l" // present: the node left
	MetaProtocol = "p" // value: highest version of the wire protocol that the node speaks, decimal
	MetaVersion  = "v" // value: version of the application
	MetaZone     = "z" // value: zone in which the node runs
)

// Bounds of what a frame may carry. What exceeds them is refused, whatever [Limits] allow.
const (
	MaxID       = 255       // bytes of a name
	MaxProtocol = 64        // bytes of the name of an application's protocol
	MaxMeta     = 255       // bytes of a zone and of an application's version
	MaxKey      = 1 << 10   // bytes of a key
	MaxValue    = 256 << 10 // bytes of a value
	MaxEntries  = 16384     // links and entries of a record, tombstones included
	// MaxGeneration leaves room above for lives that have to outbid one.
	MaxGeneration = 1 << 62
	MaxVersion    = 1 << 62 // of a record
)

// Entry is one key of a record at the version that wrote it.
type Entry struct {
	Version uint64
	Key     string
	Value   string
	Kind    Kind
	Deleted bool // a tombstone; Value is ""
}

// SharedBuckets summarizes what the sender has of the shared map, as one hash per bucket; an entry is in bucket SharedVersion.ID % 64. It
// is answered with SharedDigests of the buckets that differ.
type SharedBuckets struct {
	Hashes [NumBuckets]uint64
	Floor  Stamp // tombstones up to this stamp are gone at the sender
}

// SharedDigest lists entries of the sender's shared map. The receiver sends what the sender lacks, and asks in turn, with a
// SharedDigest of Mask 0, for what it lacks itself.
type SharedDigest struct {
	Mask    uint64 // bit b: Entries has every entry of bucket b; 0: only the entries listed are asked for
	Reply   bool   // as in Digest
	Entries []SharedVersion
}

// SharedVersion is which write of a key the sender has; all zero but ID: none.
type SharedVersion struct {
	ID     uint64 // hash of the key
	Stamp  Stamp
	Writer NodeID
}

// SharedDelta carries entries of the shared map.
type SharedDelta struct {
	Clock   int64 // milliseconds since 1970 at the sender
	Last    bool  // ends the answer to a SharedDigest of Mask 0
	Entries []SharedEntry
}

// SharedAnnounce lists writes that the sender has and did not send, because the receiver should get them over another link. A
// receiver that does not get them soon asks for them with a SharedDigest of Mask 0.
type SharedAnnounce struct {
	Entries []SharedVersion
}

// Lazy asks the receiver to announce changes of the shared map over this link, or to send them.
type Lazy struct {
	On bool // announce
}

// Ask is the first frame of a stream that is not a link: a node asks what the receiver has. The core neither sends nor
// takes it.
type Ask struct {
	Versions []SharedVersion // writes of the shared map
}

// Answer answers an Ask; the stream ends after it.
type Answer struct {
	Hash   uint64 // of all records
	Shared uint64 // of the shared map
	Lacks  uint32 // how many of the versions asked for, or newer ones, the sender has not
}

// Open is the first frame of a stream that is not a link: the sender wants to use it for a protocol of the application. The receiver
// answers with Opened; after that the stream has no frames, only what the two applications send. The core neither sends nor takes it.
type Open struct {
	Protocol string // 1 to MaxProtocol bytes
}

// Opened answers an Open.
type Opened struct {
	Status OpenStatus
}

// OpenStatus is what became of an Open.
type OpenStatus uint8

// What becomes of an Open. Everything but OpenAccepted ends the stream.
const (
	OpenAccepted   OpenStatus = 1
	OpenNoListener OpenStatus = 2 // the application does not accept streams of this protocol
	OpenBusy       OpenStatus = 3 // too many streams are in use, or wait to be accepted
	OpenRemoved    OpenStatus = 4 // the sender of the Open was removed from the cluster
)

// Bye announces that the sender closes the stream on purpose.
type Bye struct {
	Reason ByeReason
}

// ByeReason is why a stream is closed on purpose.
type ByeReason uint8

// Reasons of a Bye.
const (
	ByeUnwanted ByeReason = 1 // neither end has a use for the link
	ByeLeft     ByeReason = 2 // the sender leaves the cluster
	ByeCrossed  ByeReason = 3 // both had dialled; the other stream stays
	ByeConflict ByeReason = 4 // another process has this name and a higher generation
	ByeRemoved  ByeReason = 5 // one of the two was removed from the cluster
	ByeFull     ByeReason = 6 // the sender has no room for one more member
)

func (*Hello) frame()   {}
func (*Refuse) frame()  {}
func (*Beat) frame()    {}
func (*Buckets) frame() {}
func (*Digest) frame()  {}
func (*Delta) frame()   {}
func (*Bye) frame()     {}

func (*SharedBuckets) frame()  {}
func (*SharedDigest) frame()   {}
func (*SharedDelta) frame()    {}
func (*SharedAnnounce) frame() {}
func (*Lazy) frame()           {}
func (*Ask) frame()            {}
func (*Open) frame()           {}
func (*Opened) frame()         {}
func (*Answer) frame()         {}
