// Package plan decides which member should hold which shard of a group, and in which order the shards move there. Its functions are
// pure: the same input gives the same output on every machine, whatever the order of the members. Only the leader calls them; the others
// read the committed result.
//
// A table has a row for each shard. A row holds the IDs of different members: the first holds the shard, the others stand by. Tables
// name members by ID and not by their position, because a table outlives the list of members: after a loss, every position behind the
// lost member would mean another one.
//
// [Plan] computes the table that should be, from the one that is:
//
//  1. Quota. Each member gets its share by weight, rounded down or up, so that two of the same weight differ by at most one. A share is
//     rounded up first for a member that has more already, as this moves nothing. A member holds at most one copy of a shard, and a zone
//     as few as possible of each (one if there are as many zones as copies); what that leaves over is divided again among the others
//     (water filling). Quotas of this kind can always be met: written one after the other around a circle of shards, a member with at most
//     P copies meets no shard twice, and a zone with at most kP copies meets each at most k times.
//  2. Keep. What the table has stays where it fits. A member above its quota gives up the shards for which rendezvous hashing (Thaler and
//     Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on Networking, 1998) ranks it lowest: those that
//     a table made from nothing would least likely have given to it.
//  3. Place. A shard that lacks a copy takes the member with room and the highest score. If the members with room are all in zones that the
//     shard has already, a copy makes way: the shortest augmenting path in the graph shard–zone–member (as in maximum flow after Edmonds
//     and Karp, 1972; Garage places its partitions by maximum flow as well), where giving up a copy that the old table had is the cost.
//  4. Appoint. Of several copies one holds. Holders stay, a standby follows a lost one, and hand-overs within rows make the division by weight
//     fairer: a member of which all copies stand by does no work.
//
// [PlanPinned] does the same for a table of which an operator pinned some shards to members: these are where they should be before quotas
// are computed, and no step takes them from there.
//
// With one copy the number of shards that change their holder is the smallest that the quotas allow. With several copies the paths are
// the shortest one by one and not all together, so that a few more may move; the tests bound it.
//
// A leader may plan again while the table is on its way to an earlier plan. With one copy the moves left are as many as before; with
// several, [Moves] orders them so that each makes the rest shorter, in whatever steps the limits let them go.
//
// [Moves] orders the way from one table to the other. As in Kafka's sticky and cooperative assignors (KIP-54, KIP-429) a shard is taken
// away before it is given to another member, and as in Slicer (Adya et al., OSDI 2016) moves that only improve the balance have a budget.
package plan
