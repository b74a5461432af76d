package core

import (
	"errors"
	"fmt"
	"time"
)

// Config is what one node is and how patient it is. All nodes of a cluster need the same Rings.
type Config struct {
	ID         string // name of this node, unique in the cluster, 1 to 255 bytes
	Addr       string // host:port where others dial it
	Generation uint64 // of this life: higher than that of any life before; milliseconds since 1970 do
	Rejoin     bool   // take back a removal of this node that is older than this life
	// Yields has this node stop when another life of its name is up, whichever is newer, until the cluster has agreed with this one.
	Yields bool
	// Protocol is the highest version of the wire protocol that the shell speaks; 0 publishes none.
	Protocol uint16
	// Zone and Version are what this node publishes of where it runs and of its application, up to MaxMeta bytes each; "" publishes none.
	Zone, Version string
	// Keys are the own keys that the record has from its first version on: no other node sees this one without them.
	Keys map[string]string

	// Rings is the number K of hash rings; a node holds links to both its neighbours on each. 2 to 8. Each ring costs two
	// links, and their heartbeats; 4 keep 30 % simultaneous deaths from cutting off a survivor.
	Rings int
	// Heartbeat is how long a link may carry nothing before a Beat is sent. 50 ms to 1 m.
	Heartbeat time.Duration
	// Silence is the least time without a frame after which a link is closed (T); at least twice Heartbeat, at most
	// 10 m. Lower detects silent deaths sooner, higher forgives longer freezes. Crashes are seen without it.
	Silence time.Duration
	// Coalesce is how long urgent changes wait for company before they are sent on. 1 ms to Relax.
	Coalesce time.Duration
	// Relax is how long changes that are not urgent, such as a further link between members that are up, wait for company.
	// Up to Silence. It is what keeps join storms cheap.
	Relax time.Duration
	// Hold is how long a verdict that would take away more than half of the members is held back, since it may be me who
	// is cut off. 0 to 1 m.
	Hold time.Duration
	// DialTimeout bounds a dial; the shell keeps it. 10 ms to 1 m.
	DialTimeout time.Duration
	// DialCap is the longest backoff between two calls of an unreachable node; calls never cease. DialTimeout to 10 m.
	DialCap time.Duration
	// Tombstone is how long the mark of a deleted key is kept; a node that lags behind for longer gets the whole record again.
	// At least Silence, up to 24 h.
	Tombstone time.Duration
	// Horizon is how long it is remembered that a shared key was deleted or a member removed; a node that was away for longer starts
	// over. 1 m to 1 year.
	Horizon time.Duration
	// ForgetAfter is how long a member may be unreachable, or have left, before all forget it; 0: for ever. At least 1 s, and
	// less than Horizon.
	ForgetAfter time.Duration
	// Limits of what others can make this node keep. All nodes of a cluster need the same.
	Limits Limits
}

// DefaultConfig returns the settings for a local network; ID, Addr and Generation are left to fill in.
func DefaultConfig() Config {
	return Config{
		Rings: 4, Heartbeat: time.Second, Silence: 4500 * time.Millisecond, Coalesce: 10 * time.Millisecond,
		Relax: 500 * time.Millisecond, Hold: 2 * time.Second, DialTimeout: 3 * time.Second, DialCap: 10 * time.Second,
		Tombstone: time.Minute, Horizon: 10 * 24 * time.Hour, ForgetAfter: 72 * time.Hour, Limits: DefaultLimits(),
	}
}

// Validate returns all that is wrong with c at once.
func (c Config) Validate() error {
	var errs []error
	if n := len(c.ID); n == 0 || n > MaxID {
		errs = append(errs, fmt.Errorf("id has %d bytes, want 1 to %d", n, MaxID))
	}
	if n := len(c.Addr); n == 0 || n > MaxValue {
		errs = append(errs, fmt.Errorf("addr has %d bytes, want host:port", n))
	}
	if len(c.Zone) > MaxMeta || len(c.Version) > MaxMeta {
		errs = append(errs, fmt.Errorf("zone and version have %d and %d bytes, at most %d are possible", len(c.Zone), len(c.Version), MaxMeta))
	}
	errs = append(errs, c.CheckKeys())
	if c.Generation == 0 || c.Generation > MaxGeneration {
		errs = append(errs, errors.New("generation is 0 or beyond 2^62, want the start time in milliseconds"))
	}
	if c.Rings < 2 || c.Rings > maxRings {
		errs = append(errs, fmt.Errorf("rings is %d, want 2 to %d", c.Rings, maxRings))
	}
	within := func(name string, d, lo, hi time.Duration) {
		if d < lo || d > hi {
			errs = append(errs, fmt.Errorf("%s is %v, want %v to %v", name, d, lo, hi))
		}
	}
	within("heartbeat", c.Heartbeat, 50*time.Millisecond, time.Minute)
	within("silence", c.Silence, 2*c.Heartbeat, 10*time.Minute)
	within("coalesce", c.Coalesce, time.Millisecond, c.Relax)
	within("relax", c.Relax, c.Coalesce, c.Silence)
	within("hold", c.Hold, 0, time.Minute)
	within("dial timeout", c.DialTimeout, 10*time.Millisecond, time.Minute)
	within("dial cap", c.DialCap, c.DialTimeout, 10*time.Minute)
	within("tombstone", c.Tombstone, c.Silence, 24*time.Hour)
	within("horizon", c.Horizon, time.Minute, 366*24*time.Hour)
	if c.ForgetAfter != 0 {
		within("forget after", c.ForgetAfter, time.Second, c.Horizon)
	}
	if err := c.Limits.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// CheckKeys returns what is wrong with the keys that the record has from the start.
func (c Config) CheckKeys() error {
	size := entryCost + len(c.Addr) // and at most three entries more, of zone, version and protocol
	size += 3*entryCost + len(c.Zone) + len(c.Version) + 5
	for key, value := range c.Keys {
		if err := c.Limits.entry(key, value); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		size += entryCost + len(key) + len(value)
	}
	if size > c.Limits.Record || len(c.Keys) > MaxEntries/2 {
		return fmt.Errorf("%d keys take %d bytes; at most %d keys and %d bytes are possible", len(c.Keys), size, MaxEntries/2, c.Limits.Record)
	}
	return nil
}
