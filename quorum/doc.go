// Package quorum lets one member of a cluster act at a time: an elected leader ([Quorum.Lead]), a holder for each shard of a group
// ([Quorum.Shards]), and a linearizable map ([Quorum.Map]). A few members, the voters, keep a replicated log; all others use it through them. What
// it promises about who acts depends on the level:
//
//	level       promise                                            a member died          a member is cut off or frozen
//	prefer      none: a guess that converges with the view         one view (≈ 60 ms)     both act until the views agree
//	fenced      one holder for each token; the one before may      ≈ 0.1 s after it       as for prefer; stores refuse the
//	            act until it learns of it or its lease is over     is judged down         smaller token
//	exclusive   at most one holder at any instant                  lease + 1 s at most    it stops by its own clock, then
//	(default)                                                                             the next one begins
//
// Prefer is the function [Prefer], which needs no quorum; the others are [Level] in [Settings].
//
// # Fencing
//
// A token grows with each grant of a shard. A store that keeps the greatest token it has seen in each row, and refuses smaller ones, is safe from
// whatever a former holder still has under way:
//
//	UPDATE orders
//	SET    state = $1, token = $2
//	WHERE  id = $3
//	AND    token <= $2
//	-- no row was changed: the token is an old one, stop
//
// # What a lease cannot do
//
// A lease cannot stop an effect that was begun before its end and happens after it, since a process can be paused between any check and the write
// that follows; nor a function that heeds neither its context nor [Hold.Valid]. Only a store that compares tokens stops these.
//
// At most one holder at an instant rests on one assumption: the clocks of two members run at rates that differ by less than 2 %. What they show, and steps
// of them, do not matter. Steps, suspends and pauses of a process only shorten its lease.
//
// # Using it
//
// [Start] takes part in the quorum of a [gossip.Node]'s cluster. When most voters are lost for a while, nothing is granted: holders stop when
// their leases end, reads and writes of the map fail with [ErrNoLeader], and [Shards.Owner] answers from what was known; all of it goes on when they are
// back. [Quorum.Status] shows why there is no leader. A minority never makes progress, so two halves of a cluster never both act.
//
// A function that works on a shard has a [Hold]: its context ends before the lease does, Valid reads the lease clock, Token goes with every write.
// When a shard is to move, its holder's context ends, its function returns, and only then the next one begins: functions should return
// soon after their contexts end. [Quorum.Leave] gives all shards up in this way before a process ends.
package quorum
