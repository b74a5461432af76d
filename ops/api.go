package ops

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
)

// Config is the node that an [API] is about. Supervisor and Connector are required.
type Config struct {
	Node       connector.NodeConfig
	Supervisor *cluster.Supervisor
	Connector  connector.Connector // that of node.listen
	Kind       string              // of Connector
	// Gossip returns the node of the gossip core, nil while there is none; a nil function means another connector.
	Gossip func() *gossip.Node
	// Quorum is the part of the node in the quorum of its cluster, nil without one.
	Quorum Quorum
	// Shards has the groups of the file and of the quorum; nil means that there are none.
	Shards Shards
	// RingGroup is the group that /status and /partitions are about unless a request names another one.
	RingGroup string
	// Leaving reports whether the node leaves, or has ended; nil means that it is not known.
	Leaving func() bool
	// Leave has the node leave, and returns when it has ended. nil: it cannot be asked to.
	Leave func(context.Context) error
	// HTTP returns where the API is served on a port or socket of its own, "" if nowhere; nil means the same.
	HTTP func() string
	// Mounts are further paths.
	Mounts []Mount
	// Log receives what goes wrong; nil discards it.
	Log hclog.Logger
}

// Mount is a handler of a program beside those of the API, such as one for metrics.
type Mount struct {
	Pattern string // of [http.ServeMux], such as "GET /metrics"
	Access  Access // that it needs
	Handler http.Handler
}

// API answers what an operator asks of a node. Make one with [New]. Its methods are safe for concurrent use.
type API struct {
	config    Config
	started   time.Time
	history   history
	agreement agreementCache
	readers   slots // of the events
	events    iter.Seq[cluster.Event]
	endEvents context.CancelFunc
}

// New returns the API of a node.
func New(c Config) (*API, error) {
	if c.Supervisor == nil || c.Connector == nil {
		return nil, errors.New("ops: Config.Supervisor and Config.Connector are required")
	}
	if c.Gossip == nil {
		c.Gossip = func() *gossip.Node { return nil }
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	a := &API{config: c, started: time.Now(), readers: slots{limit: maxEventReaders}}
	ctx, cancel := context.WithCancel(context.Background())
	a.events, a.endEvents = c.Supervisor.Events(ctx), cancel
	a.history.init(a.started)
	a.agreement.init()
	return a, nil
}

// Run keeps the last 1,024 events of the supervisor, from New on, until ctx or the supervisor ends. Call it once.
func (a *API) Run(ctx context.Context) {
	defer a.endEvents()
	defer context.AfterFunc(ctx, a.endEvents)()
	for e := range a.events {
		a.history.add(e)
	}
}

// gossipNode returns the node of the gossip core, or why there is none.
func (a *API) gossipNode() (*gossip.Node, error) {
	if g := a.config.Gossip(); g != nil {
		return g, nil
	}
	if state, why := a.state(context.Background()); state != StateRunning {
		return nil, problemf(http.StatusServiceUnavailable, "the node does not run: %s", why)
	}
	return nil, problemf(http.StatusNotFound, "this needs the connector gossip, but this agent runs %s: change connector in its file", a.config.Kind)
}
