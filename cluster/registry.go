package cluster

import "github.com/goconvoke/convoke/connector"

// registry is what a program registered under names that topologies use. Nothing in it changes after [New].
type registry struct {
	connectors       map[string]connector.Connector
	defaultConnector string // the first one registered
	connects         map[string]connector.ConnectFunc
	disconnects      map[string]connector.DisconnectFunc
	lists            map[string]connector.ListFunc
}

func newRegistry() registry {
	return registry{
		connectors:  make(map[string]connector.Connector),
		connects:    make(map[string]connector.ConnectFunc),
		disconnects: make(map[string]connector.DisconnectFunc),
		lists:       make(map[string]connector.ListFunc),
	}
}

func (r *registry) connectorName(t Topology) string {
	if t.Connector != "" {
		return t.Connector
	}
	return r.defaultConnector
}

// connectorOf returns the connector of a topology, nil if callbacks stand for all of it.
func (r *registry) connectorOf(t Topology) connector.Connector {
	return r.connectors[r.connectorName(t)]
}

// listKey names the list that the peers of a topology are compared with. Topologies with the same key share a reconciler.
func (r *registry) listKey(t Topology) string {
	if t.List != "" {
		return "list " + t.List
	}
	return "connector " + r.connectorName(t)
}

// connect returns the function that dials a peer for a topology.
func (r *registry) connect(t Topology) connector.ConnectFunc {
	if f := r.connects[t.Connect]; f != nil {
		return f
	}
	return r.connectorOf(t).Connect
}

// disconnect returns the function that disconnects a peer for a topology.
func (r *registry) disconnect(t Topology) connector.DisconnectFunc {
	if f := r.disconnects[t.Disconnect]; f != nil {
		return f
	}
	if c := r.connectorOf(t); c != nil {
		return c.Disconnect
	}
	return connector.Funcs{}.Disconnect
}

// canDisconnect reports whether a topology has anything that disconnects a peer.
func (r *registry) canDisconnect(t Topology) bool {
	if r.disconnects[t.Disconnect] != nil {
		return true
	}
	switch c := r.connectorOf(t).(type) {
	case nil:
		return false
	case connector.Funcs:
		return c.DisconnectFunc != nil
	case *connector.Funcs:
		return c.DisconnectFunc != nil
	}
	return true
}
