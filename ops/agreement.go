package ops

import (
	"context"
	"net/http"
	"time"
)

// Agreement lists the members that have the same state as this node.
type Agreement struct {
	At     time.Time `json:"at"`     // when they were asked
	Same   []string  `json:"same"`   // this node included
	Differ []string  `json:"differ"` // normal for a moment after a change
	Silent []string  `json:"silent"` // no answer in time
}

// agreementAge is for how long an agreement is returned again: finding it out asks every member.
const agreementAge = 2 * time.Second

// agreementCache has one agreement be found out at a time. Its token is the right to read and write last.
type agreementCache struct {
	token chan struct{}
	last  *Agreement
}

func (c *agreementCache) init() {
	c.token = make(chan struct{}, 1)
	c.token <- struct{}{}
}

// Agreement asks every member that is up for the hashes of its state, until the deadline of ctx: one caller at a time does, and what it
// found out is the answer of all for 2 s. It needs the connector gossip.
func (a *API) Agreement(ctx context.Context) (Agreement, error) {
	g, err := a.gossipNode()
	if err != nil {
		return Agreement{}, err
	}
	select {
	case <-a.agreement.token:
	case <-ctx.Done():
		return Agreement{}, problemf(http.StatusServiceUnavailable, "another request finds out who agrees: %w", context.Cause(ctx))
	}
	defer func() { a.agreement.token <- struct{}{} }()
	if last := a.agreement.last; last != nil && time.Since(last.At) < agreementAge {
		return *last, nil
	}
	found, err := g.Agreement(ctx)
	if err != nil {
		return Agreement{}, err
	}
	a.agreement.last = &Agreement{time.Now(), orEmpty(found.Same), orEmpty(found.Differ), orEmpty(found.Silent)}
	return *a.agreement.last, nil
}

// orEmpty makes an absent list an empty one: [] in JSON.
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
