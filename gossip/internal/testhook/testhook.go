// Package testhook lets the test kit of gossip do to a node what its public API does not offer.
package testhook

import "time"

// Freeze keeps the loop of a *gossip.Node busy for some time, as a process that is stopped: it takes nothing in and sends nothing. It
// returns when the freeze begins, or an error if the node has ended. Package gossip sets it.
var Freeze func(node any, d time.Duration) error
