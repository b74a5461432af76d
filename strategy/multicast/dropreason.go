package multicast

// dropReason is what became of a datagram: accepted, or the reason why it was dropped.
type dropReason uint8

const (
	accepted       dropReason = iota
	own                       // sent by this node
	libcluster                // a packet of libcluster, which shares group and port
	badMagic                  // not a packet of convoke
	badVersion                // of a version or suite not known here
	badCluster                // of another cluster ID
	badKey                    // sealed with a key not known here, or not sealed with it
	badPlain                  // not sealed, but this node has keys
	badReplay                 // heard before, or older than the last 64 of its sender
	badSkew                   // the sender's clock is more than 5 minutes off
	badSize                   // empty, or over 512 bytes
	badRate                   // over 64 packets a second from one address, those of known senders not counted
	full                      // no room for one more sender
	badDestination            // sent to a group or by a broadcast that is not ours
	malformed                 // its inside cannot be read
	stale                     // from an older life of a node that was heard since
	dropReasons
)

// String returns the word that stands in counters, in logs and in [Heard].
func (v dropReason) String() string {
	return [dropReasons]string{
		"accepted", "own", "libcluster", "magic", "version", "cluster", "key", "plain", "replay",
		"skew", "size", "rate", "full", "destination", "malformed", "stale",
	}[v]
}
