// Package core is the membership protocol as a deterministic state machine.
//
// A [Core] takes what happened ([Input]) and returns what to do ([Output]); it opens no socket, reads no clock and starts
// no goroutine. The same inputs at the same times with the same random source give the same outputs. Calls are not safe for
// concurrent use: one loop owns a Core.
//
// Each node holds links to its neighbours on K hash rings and publishes them in its own record; a member is up exactly when it
// is reachable over links that both ends publish. Records travel as Scuttlebutt deltas (van Renesse et al., "Efficient
// reconciliation and flow control for anti-entropy protocols", LADIS 2008). docs/protocol.md describes the whole protocol: what
// travels, why it converges, and where each constant comes from. This comment is the map of the code.
//
// # One step
//
// The shell, gossip.Node, calls [Core.Step] with one input at a time and by [Core.NextTick] at the latest. A step advances the running
// time (pause.go), passes the input to its part, and then lets every part do what is due ([Core.work], whose order is explained
// there). Everything that goes out is appended to host.out, in the order in which it is to be done. A part that wants to
// act later sets a deadline of its own with soonest; the earliest of them is the next tick. No part keeps a timer.
//
// Suppose that a neighbour dies. [LinkDown] takes its link out of use (linkdrop.go) and has the own links published (link.go), which
// is a write to the own record (ownrecord.go) that is urgent, so the flood sends it a moment later. Here and wherever it
// arrives, a published link that is gone makes the verdict due (verdict.relink). The verdict walks the published links from this
// node; the member that is not reached any more falls ([Judged], and a changed view), the rings without it are worked out (ring.go), and the
// links that these want are dialled (dial.go). No message ever states that a member is dead.
//
// # The parts
//
// What a part owns no other part writes. Those that need more than one part are verbs of Core.
//
//	store        the records of all members, their hashes, what is derived from them    store.go, record.go, delta.go, linkentry.go
//	ownRecord    this node's record, as its only writer                                 ownrecord.go, self.go
//	links        streams in use; which of them are published                            links.go, link.go, linkdrop.go, detector.go
//	dialler      calls to members and to seeds, with their backoff                      dial.go, seeds.go, target.go
//	rings        neighbours that this node should have; unreachable ones that it calls  ring.go
//	verdict      which members are up; what is held back, in grace or in doubt          verdict.go, doubt.go
//	flood        changes of records on their way out, over all links or the bulk tree   flood.go, flooditem.go, bulktree.go
//	forgetting   members that are gone for long, and a table that is full               forget.go, ripen.go, fulltable.go
//	exchanger    comparison with a neighbour and repair, of either table                exchanger.go, exchange.go, pulls.go, recent.go
//	sharedMap    the entries of the shared map                                          sharedmap.go, sharedmerge.go, sharedexpiry.go
//	replica      how the map changes: own writes, writes of others, ends                replica.go, removal.go, sharedends.go
//	sharedFlood  writes on their way out, over a tree of eager links                    sharedflood.go, sharedtree.go, sharedlacks.go
//	aging        whether this node was apart from its cluster for too long              aging.go
//	clusterClock what time it is in the cluster                                         clustertime.go
//
// # Time
//
// Three kinds, and none stands for another. Running time, a time.Duration since the start, counts only while the process runs: all
// deadlines are of it, so that a pause ends no link. The clock of the host, a time.Time, is read once a step and goes to neighbours
// and into stamps. Cluster time, a [Moment], is the median of the clocks of this node and its neighbours: ages, expiry and
// the horizon are of it, so that one wrong clock decides nothing.
//
// # Words
//
//	record      what one member publishes: address, links, keys. (generation, version) orders its states
//	generation  one life of a member: when it started. A new life replaces the record of the one before
//	floor       version up to which the tombstones of a record are gone: a node that has less takes the record whole
//	slot        the place of one member in the table: its record and what follows from it
//	published   a link that stands in the own record. It connects when both ends publish it
//	urgent      a change that members are waiting for, sent after Config.Coalesce; relaxed ones wait for Config.Relax
//	bulk        many relaxed changes at once; they leave over eager links only
//	lag         how long what arrived waits until a step takes it: a node that is behind does less of what can wait (load.go)
//	held        a verdict that would lose more than half of the members: perhaps it is this node that is cut off
//	grace       the moment for which a member stays up that cannot be reached and that no neighbour has given up
//	doubt       a member that is up, perhaps by old news only
//	claim       where a node stands with an item of a table; a digest is a list of claims
//	tombstone   what remains of a deleted key so that it stays deleted; kept for Config.Horizon
//	horizon     for how long a node may be away and still bring what others lack
//	aged        a node that was away for longer: it gives up keys that no other node has
//	settled     a node that is not aged, or has met one that is not
//	removal     an entry of the shared map that keeps a name out, whatever its node does
//
// # What always holds
//
// The simulation (gossip/internal/simulation) checks these under faults, most of them after every step: equal records have equal hashes; slots and tables
// stay within their limits; a removed member is not up where its removal is known; a key that was written and not
// deleted is on every node whose disk survived; after the last fault all nodes that can reach each other are up and have equal
// tables; what a node reports as its staleness is the truth within three seconds.
package core
