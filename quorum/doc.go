// Package quorum says who should work on what: which shard a key belongs to ([Of]), and which member a program should prefer for a key
// ([Prefer]). These are hints, the same at all nodes with the same view, and no locks: while views differ, two members may take themselves for
// the right one.
package quorum
