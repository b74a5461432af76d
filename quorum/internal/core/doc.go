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
//   - table.go, tableapply.go, kvmap.go, snapshot.go: the state that the log determines. All voters apply the same entries; every other member
//     replays those of the table, which the leader streams to it.
//   - leader.go, proposals.go, renewals.go, expiry.go, assign.go, planning.go, revoke.go, stream.go, requests.go: what a leader does.
//   - member.go, leaderhint.go, lease.go, works.go, tablelearn.go, memberrequests.go: what a member does with its session.
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
package core
