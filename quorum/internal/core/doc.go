// Package core is the quorum as a deterministic state machine: voters that keep a replicated log (Raft), sessions with
// leases, shards with holders and tokens, and a linearizable map.
//
// A [Core] takes what happened ([Input]) together with two clock readings ([Now]) and returns what has to be done
// ([Output]). It opens no socket, writes no file, reads no clock and starts no goroutine. The same inputs at the same
// readings with the same random source give the same outputs. Calls are not safe for concurrent use: one loop owns a Core.
//
// Every member runs a Core. A few of them are voters; one voter leads. Each member, the voters included, has a session
// at the leader, and holds shards through it. The parts are:
//
//   - raftnode.go, raftdisk.go, raftapply.go, raftcheck.go, storage.go: go.etcd.io/raft/v3 and the log in memory. What must be on
//     disk leaves as [Persist] and counts once [Persisted] comes back, so that a vote or an acknowledgement is never sent before
//     it is durable.
//   - election.go: when to campaign. Followers never tick raft, whose election timer takes its randomness from crypto/rand.
//   - voters.go, voterprogress.go, view.go: which members are voters.
//   - table.go, tableapply.go, tabledirect.go, kvmap.go, snapshot.go: the state that the log determines. All voters apply the same entries; every
//     other member replays those of the table, which the leader streams to it.
//   - leader.go, proposals.go, renewals.go, expiry.go, assign.go, planning.go, absence.go, revoke.go, stream.go, requests.go, directives.go: what a
//     leader does.
//   - member.go, leaderhint.go, lease.go, works.go, standby.go, tablelearn.go, memberrequests.go, leave.go: what a member does with its session.
//   - merge.go: the end of a birth whose members join an older one.
//   - status.go, why.go, tableview.go, viewbuilder.go: what a shell shows. A [TableView] is for any goroutine, a [Table] for the one of the Core.
//
// # Why at most one member holds a shard at an instant
//
// A member sends a renewal when its lease clock shows t. If the renewal is answered, the member may act until t + L. The
// leader answers only after a round of messages with a quorum that began after the renewal arrived, and only if the session
// is then in the applied state. A leader ends a session when L·(1+ε) + 10 ms have passed on its own clock since the last
// renewal that it received and since it became leader. Let two leaders be elected one after the other: a voter took
// part in both the last successful round of the first and the election of the second, and in this order, since after its
// vote it rejects the round. So every lease that the first prolonged began before the second was elected, and the second
// waits them all out. Clocks are never compared across members; only their rates must differ by less than ε = 2 %.
//
// A shard changes its holder in two ways: the holder's session ended, as above, or the holder's function returned and
// its release was committed. Both are entries of one log, and a grant is refused while another holder is in it.
//
// # What an operator can ask for
//
// [Pin] and [Exclude] are entries of the log and last until they are undone. Package plan treats a pin as a copy that must stay where it is, and
// an exclusion as a member that drains. [Move] is a wish that the leader of a term remembers until the shard has moved: for its plans a pin
// that goes away by itself. All three change what is planned and nothing else, so no rule above depends on them. [Serve] with Weight 0 frees
// this member of one group, [Drain] of all, and [Leave] is a Drain that ends only when another member votes in its place.
//
// # Two births
//
// Two parts of a network that were cut off from each other may each have founded a quorum. Each is right for itself, and shards then have two
// holders: one in each birth. When they meet, the younger birth ends. Its log takes an entry after which nothing is granted and no session
// opened; members stop their functions and end their sessions; sessions of members that are not there expire. The birth is over when no
// session is left, and only then a member joins the older birth ([BirthEnded]), with an empty disk and a new identity. The members of
// the older birth go on holding their shards meanwhile. Stores may have seen tokens of the younger birth, which are greater, so the older
// one begins its tokens with a greater number from the first member on that joins, and has its holders release and take again what they
// hold. A birth that lost its quorum cannot end this way; see [Recover].
package core
