// Package admin lets commands reach the agent that runs on the same host, over a socket that only its user may open. The protocol is HTTP:
// the API of package ops.
package admin

import "time"

const (
	maxRequests  = 32              // at the same time; one more gets an error
	maxConns     = 2 * maxRequests // those beyond wait to be accepted
	headerLimit  = 5 * time.Second // for the head of a request to arrive
	idleLimit    = time.Minute
	maxHeader    = 64 << 10    // bytes
	closeTimeout = time.Second // for what is under way, when the agent ends
)
