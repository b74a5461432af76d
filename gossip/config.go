package gossip

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/internal/disk"
	"github.com/goconvoke/convoke/internal/hostaddr"
)

// Config describes a node. Name, ClusterID and Listen are required.
type Config struct {
	// Name of this node: unique in the cluster and best kept across restarts, 1 to 255 bytes of printable text. With
	// mutual TLS it must be a name of the certificate.
	Name string
	// ClusterID keeps two clusters from merging, 1 to 255 bytes.
	ClusterID string
	// Listen is the host:port to listen on; port 0 takes a free one.
	Listen string
	// Advertise is the host:port that other nodes dial. "" means the address of Listen or, if that is all
	// interfaces, the address of the default route; then the node publishes another one when its host loses that.
	Advertise string
	// DataDir is where this node keeps what outlives it: its generation and keys, the members it knows, the shared map. "" keeps
	// nothing. No two processes can have the same.
	DataDir string
	// Keys are own keys that this node publishes from the start: no member sees it without them. They take the place of what DataDir
	// keeps under the same names. The bounds are those of Set.
	Keys map[string]string
	// Zone and Version are published to all members, up to 255 bytes of printable text each: where this node runs, such as a rack or an
	// availability zone, and the version of the application. See [Member].
	Zone, Version string
	// MaxStreams bounds the inbound streams of the application that are in use at once, 1 to 65,536; 0 means 1,024. See [Node.Listen].
	MaxStreams int
	// Rejoin brings back a node that was removed from its cluster. It takes back removals older than its start.
	Rejoin bool
	// YieldTo is the generation of another process with this name, from the [ConflictError] with which a node has ended: this one takes part
	// only if that process is gone, and ends with another ConflictError if a member that it meets sees it up. 0 takes the name from any older
	// process, as a process that replaces another one does.
	YieldTo uint64
	// Transport carries the streams; nil means plain TCP.
	Transport transport.Transport
	// Tuning is how patient the protocol is; nil means DefaultTuning.
	Tuning *Tuning
	// Log receives what happens; nil discards it.
	Log hclog.Logger
	// TracerProvider traces Join, Remove, Agreement, and Sync and Update of the shared map, with the handshakes below them; nil traces nothing.
	TracerProvider trace.TracerProvider

	clock func() time.Time // of tests; nil means time.Now
	files disk.FS          // of tests; nil means disk.System
}

func (c Config) now() time.Time {
	if c.clock != nil {
		return c.clock()
	}
	return time.Now()
}

// Validate reports all that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if n := len(c.Name); n == 0 || n > core.MaxID {
		errs = append(errs, fmt.Errorf("the name has %d bytes, want 1 to %d", n, core.MaxID))
	}
	if !printable(c.Name) {
		errs = append(errs, fmt.Errorf("the name %q is not printable text", c.Name))
	}
	if n := len(c.ClusterID); n == 0 || n > core.MaxID {
		errs = append(errs, fmt.Errorf("the cluster ID has %d bytes, want 1 to %d", n, core.MaxID))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("listen address %q: want host:port", c.Listen))
	}
	if c.Advertise != "" {
		if _, _, err := net.SplitHostPort(c.Advertise); err != nil {
			errs = append(errs, fmt.Errorf("advertised address %q: want host:port", c.Advertise))
		}
	}
	if !printable(c.Zone) || !printable(c.Version) {
		errs = append(errs, fmt.Errorf("zone %q, version %q: want printable text", c.Zone, c.Version))
	}
	if c.YieldTo > core.MaxGeneration {
		errs = append(errs, fmt.Errorf("generation %d to yield to: at most %d is possible", c.YieldTo, uint64(core.MaxGeneration)))
	}
	if err := c.checkKeys(); err != nil {
		errs = append(errs, fmt.Errorf("keys: %w", err))
	}
	if c.MaxStreams < 0 || c.MaxStreams > 1<<16 {
		errs = append(errs, fmt.Errorf("%d streams at most: want 1 to %d, or 0 for %d", c.MaxStreams, 1<<16, defaultMaxStreams))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// checkKeys reports what is wrong with Keys.
func (c Config) checkKeys() error {
	tuning := DefaultTuning()
	if c.Tuning != nil {
		tuning = *c.Tuning
	}
	t := tuning.config()
	t.Keys, t.Zone, t.Version = c.Keys, c.Zone, c.Version
	return t.CheckKeys()
}

// printable reports whether a name can be logged as it is.
func printable(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// coreConfig returns the core's configuration for a node that listens there.
func (c Config) coreConfig(bound net.Addr, now time.Time) (core.Config, error) {
	tuning := DefaultTuning()
	if c.Tuning != nil {
		tuning = *c.Tuning
	}
	t := tuning.config()
	addr, err := c.advertisedAddr(bound)
	if err != nil {
		return t, err
	}
	t.ID, t.Addr, t.Generation, t.Rejoin = c.Name, addr, uint64(now.UnixMilli()), c.Rejoin
	t.Zone, t.Version, t.Keys, t.Protocol = c.Zone, c.Version, c.Keys, wire.Protocol
	return t, t.Validate()
}

// advertisedAddr returns the address that others dial.
func (c Config) advertisedAddr(bound net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return "", err
	}
	if c.Advertise != "" {
		h, p, err := net.SplitHostPort(c.Advertise)
		if p == "0" {
			p = port
		}
		return net.JoinHostPort(h, p), err
	}
	if c.followsHost(bound) {
		out, err := hostaddr.Outbound()
		if err != nil {
			return "", fmt.Errorf("advertised address: %w", err)
		}
		host = out.String()
	}
	return net.JoinHostPort(host, port), nil
}
