package quorum

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/disk"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Config describes the part of one member in the quorum of its cluster. All members need the same Voters, Eligible, Birth and Lease. Node
// and Birth are required.
type Config struct {
	// Node is the member of the cluster; the quorum uses its streams, and ends with it.
	Node *gossip.Node
	// DataDir is where this member keeps its identity as a voter, the log and its snapshots. "" keeps them in memory: the member then is
	// another voter after each start, and a quorum of which most voters restart at once is lost.
	DataDir string
	// Voters is how many members keep the log: 1, 3, 5 or 7; 0 means 3. More than half of them must be up and reach each other for anything to
	// be decided. They are replaced by other members when they are down for ReplaceAfter.
	Voters int
	// Eligible are patterns for the names of members that may be voters, as of path.Match; none means all. The others hold shards
	// and use the map all the same.
	Eligible []string
	// Birth decides who founds the quorum.
	Birth Birth
	// Lease is for how long a member may act without an answer of the leader: 1 s to 60 s; 0 means 5 s. What a member held that died or was cut
	// off can be held again after this time. A pause of a process for longer ends what it holds.
	Lease time.Duration
	// ReplaceAfter is how long a voter may be down before another member takes its place, at least 1 s; 0 means 30 s.
	ReplaceAfter time.Duration
	// Log receives what happens; nil discards it.
	Log hclog.Logger
	// TracerProvider traces writes of the map; nil traces nothing.
	TracerProvider trace.TracerProvider

	timing func(*core.Config) // for tests
	files  disk.FS            // of tests; nil means disk.System
}

// maxVoters is the greatest Config.Voters.
const maxVoters = 7

// defaultLease is the default of Config.Lease.
const defaultLease = 5 * time.Second

// withDefaults returns the configuration with its defaults, or all that is wrong with it.
func (c Config) withDefaults() (Config, error) {
	c.Voters = cmp.Or(c.Voters, 3)
	c.Lease = cmp.Or(c.Lease, defaultLease)
	c.ReplaceAfter = cmp.Or(c.ReplaceAfter, 30*time.Second)
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	return c, c.Validate()
}

// Validate reports all that is wrong with c. Fields that are 0 count as their defaults.
func (c Config) Validate() error {
	var errs []error
	if c.Node == nil {
		errs = append(errs, errors.New("no node is given, which is required"))
	}
	if v := cmp.Or(c.Voters, 3); v != 1 && v != 3 && v != 5 && v != 7 {
		errs = append(errs, fmt.Errorf("voters %d: want 1, 3, 5 or 7: an even number bears no more losses than one voter less", c.Voters))
	}
	if l := cmp.Or(c.Lease, defaultLease); l < time.Second || l > time.Minute {
		errs = append(errs, fmt.Errorf("lease %v: want 1s to 60s", c.Lease))
	}
	if c.ReplaceAfter < 0 || c.ReplaceAfter > 0 && c.ReplaceAfter < time.Second {
		errs = append(errs, fmt.Errorf("replace_after %v: want 1s or more", c.ReplaceAfter))
	}
	for _, p := range c.Eligible {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			errs = append(errs, fmt.Errorf("eligible %q: not a pattern: want a name in which * stands for any text", p))
		}
	}
	errs = append(errs, c.Birth.validate())
	for _, name := range c.Birth.founders {
		if !c.eligible(name) {
			errs = append(errs, fmt.Errorf("birth: founder %q: %w by %q", name, ErrNotEligible, c.Eligible))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("quorum: %w", err)
	}
	return nil
}

// eligible reports whether a member may be a voter.
func (c *Config) eligible(name string) bool {
	for _, p := range c.Eligible {
		if ok, _ := path.Match(p, name); ok { // Validate has checked the pattern
			return true
		}
	}
	return len(c.Eligible) == 0
}

// mayFound reports whether a member can be one of the first voters.
func (c *Config) mayFound(name string) bool {
	if !c.eligible(name) {
		return false
	}
	for _, f := range c.Birth.founders {
		if f == name {
			return true
		}
	}
	return len(c.Birth.founders) == 0
}

// coreConfig returns what the core needs.
func (c *Config) coreConfig(id identity) core.Config {
	cc := core.DefaultConfig()
	cc.Name, cc.ID, cc.Predecessor = c.Node.Name(), id.voter, id.predecessor
	cc.Voters, cc.Lease, cc.ReplaceAfter = c.Voters, c.Lease, c.ReplaceAfter
	if m, ok := c.Node.View().Member(c.Node.Name()); ok {
		cc.Zone = m.Zone
	}
	if c.timing != nil {
		c.timing(&cc)
	}
	return cc
}
