package cluster

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Quorum is the section "quorum" of a file: plain data for what opens the quorum, which is package agent or a program that passes
// [WithHonoured]. All nodes of a cluster need the same.
type Quorum struct {
	// Voters is how many members keep the log: 1, 3, 5 or 7.
	Voters int `yaml:"voters"`
	// Eligible are patterns for the names of members that may be voters, as of path.Match; none means all.
	Eligible []string `yaml:"eligible"`
	// Birth decides who founds the quorum; its zero value means Expect: the greatest Expect of the topologies.
	Birth Birth `yaml:"birth"`
	// Lease is for how long a member may act without an answer of the leader, 1 s to 60 s.
	Lease time.Duration `yaml:"lease"`
	// ReplaceAfter is how long a voter may be down before another member takes its place, at least 1 s.
	ReplaceAfter time.Duration `yaml:"replace_after"`
}

// Bounds of the sections quorum and groups. They are those of package quorum, which this package does not import; a test of
// package agent compares them.
const (
	maxExpect    = 255
	minLease     = time.Second
	maxLease     = time.Minute
	minReplace   = time.Second
	maxShards    = 65536
	maxCopies    = 7
	maxWeight    = 1 << 20
	minHandover  = time.Millisecond
	maxHandover  = time.Hour
	maxReturn    = time.Hour
	defaultMoves = 32
	maxName      = 255 // bytes
)

// DefaultQuorum returns what holds where the section is silent. Its birth has to be filled in.
func DefaultQuorum() Quorum {
	return Quorum{Voters: 3, Lease: 5 * time.Second, ReplaceAfter: 30 * time.Second}
}

// Validate reports all that is wrong with q, placed in the section.
func (q *Quorum) Validate() error {
	var errs []error
	at := func(key, format string, args ...any) {
		errs = append(errs, strictyaml.At(key, fmt.Errorf(format, args...)))
	}
	if q.Voters < 1 || q.Voters > 7 || q.Voters%2 == 0 {
		at("voters", "%d: want 1, 3, 5 or 7; with an even number no more voters can be lost than with one less", q.Voters)
	}
	for i, p := range q.Eligible {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			at(fmt.Sprintf("eligible[%d]", i), "%q is not a pattern: want a name in which * stands for any text", p)
		}
	}
	if q.Lease < minLease || q.Lease > maxLease {
		at("lease", "%v: want %v to %v", q.Lease, minLease, maxLease)
	}
	if q.ReplaceAfter < minReplace {
		at("replace_after", "%v: want %v or more", q.ReplaceAfter, minReplace)
	}
	return errors.Join(append(errs, q.validateBirth())...)
}

func (q *Quorum) isEligible(name string) bool {
	return len(q.Eligible) == 0 || slices.ContainsFunc(q.Eligible, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok || err != nil // a pattern that is wrong is reported by itself
	})
}
