package ops

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
)

// State is what a node is doing.
type State string

// The states of a node.
const (
	StateStarting     State = "starting"
	StateRunning      State = "running"       // it takes part: its connector lists the members
	StateCannotListen State = "cannot_listen" // its address cannot be listened on; tried again
	StateCannotRun    State = "cannot_run"    // its connector cannot list the members for another reason, such as a data directory in use
	StateNameConflict State = "name_conflict" // a newer process has its name
	StateRemoved      State = "removed"       // from its cluster
	StateLeaving      State = "leaving"       // it leaves, or has left
)

// Node is the node itself.
type Node struct {
	Name      string `json:"name"`
	State     State  `json:"state"`
	Problem   string `json:"problem,omitzero"` // why it does not run
	Addr      Text   `json:"addr,omitzero"`    // that others dial; "" until it listens
	Connector string `json:"connector"`        // its kind
	Zone      string `json:"zone,omitzero"`
	Version   string `json:"version,omitzero"` // of the application, as node.version gives it
	Build     string `json:"build"`            // of convoke
	DataDir   string `json:"data_dir,omitzero"`
	PID       int    `json:"pid"`

	Started        time.Time  `json:"started"`
	Uptime         float64    `json:"uptime_seconds"`
	Security       string     `json:"security"`                 // of the links: tls, keys, none
	CertificateEnd *time.Time `json:"certificate_end,omitzero"` // when the certificate in use ends
	// SecurityError is why changed certificates or keys cannot be used: those before stay in use.
	SecurityError string `json:"security_error,omitzero"`
	DiskFailing   bool   `json:"disk_failing,omitzero"` // what the node has to keep cannot be written now
	HTTP          string `json:"http,omitzero"`         // where the API is served besides the admin socket
}

// node returns what is known of the node itself.
func (a *API) node(ctx context.Context) Node {
	n := Node{
		Name: a.config.Node.Name, Connector: a.config.Kind, Zone: a.config.Node.Zone, Version: a.config.Node.Version, Build: buildVersion(), DataDir: a.config.Node.DataDir,
		PID: os.Getpid(), Started: a.started, Uptime: time.Since(a.started).Seconds(), Security: securityOf(a.config.Node), Addr: a.ownAddr(),
	}
	n.State, n.Problem = a.state(ctx)
	if a.config.HTTP != nil {
		n.HTTP = a.config.HTTP()
	}
	if g := a.config.Gossip(); g != nil {
		security := g.Security()
		n.CertificateEnd, n.SecurityError, n.DiskFailing = timeOf(security.NotAfter), errorText(security.Err), g.DiskFailing()
	}
	return n
}

// listTimeout bounds a list of the connector.
const listTimeout = 2 * time.Second

// state returns what the node is doing and, unless it runs, why.
func (a *API) state(ctx context.Context) (State, string) {
	if a.config.Leaving != nil && a.config.Leaving() {
		return StateLeaving, "the node leaves its cluster"
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	_, err := a.config.Connector.List(ctx)
	var op *net.OpError
	switch {
	case err == nil:
		return StateRunning, ""
	case errors.Is(err, gossip.ErrConflict):
		return StateNameConflict, err.Error()
	case errors.Is(err, gossip.ErrRemoved):
		return StateRemoved, err.Error()
	case errors.As(err, &op) && op.Op == "listen":
		return StateCannotListen, err.Error()
	case !a.hasListed():
		if time.Since(a.started) < startTime {
			return StateStarting, err.Error()
		}
	}
	return StateCannotRun, err.Error()
}

// startTime is how long a node counts as starting.
const startTime = 2 * time.Second

// hasListed reports whether some connector could list its peers once.
func (a *API) hasListed() bool {
	for _, c := range a.config.Supervisor.Stats().Connectors {
		if c.Listed {
			return true
		}
	}
	return false
}

func securityOf(n connector.NodeConfig) string {
	switch {
	case n.TLS != connector.TLS{}:
		return "tls"
	case len(n.Keys) > 0:
		return "keys"
	}
	return "none"
}

const modulePath = "github.com/goconvoke/convoke"

// buildVersion returns the version of this module in the program, "unknown" if it is not recorded.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	for _, dep := range info.Deps {
		if dep.Path == modulePath {
			version = dep.Version
		}
	}
	if version == "" {
		return "unknown"
	}
	return version
}
