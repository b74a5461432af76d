package prom

import "github.com/goconvoke/convoke/cluster"

var (
	reconcileTime  = histogram("reconcile_seconds", "Duration of rounds: from the call for the list of peers until it was compared.", "connector")
	listErrors     = counter("reconcile_list_errors_total", "Rounds in which the connector could not list its peers, so that no peer was dialled or dropped.", "connector")
	connectorPeers = gauge("connector_peers", "Peers in the last list of the connector, without this node. Absent before the first.", "connector")
	dials          = counter("dials_total", "Calls of Connect that have returned.", "connector", "result")
	dialTime       = histogram("dial_seconds", "Duration of calls of Connect, those that failed included.", "connector")
	drops          = counter("drops_total", "Calls of Disconnect that have returned.", "connector", "result")
	overruns       = counter("call_overruns_total", "Calls of Connect and Disconnect that did not return by their deadline.", "connector")
)

var connectorFamilies = []*family{reconcileTime, listErrors, connectorPeers, dials, dialTime, drops, overruns}

// connector sends what is known of one connector, or list callback.
func (s scrape) connector(c cluster.ConnectorStats) {
	s.times(reconcileTime, c.RoundTime, c.Name)
	s.count(listErrors, c.ListFailures, c.Name)
	if c.Listed {
		s.put(connectorPeers, float64(c.Peers), c.Name)
	}
	for result, n := range map[string]uint64{
		"ok": c.Dials.OK, "error": c.Dials.Failed, "foreign": c.Dials.Foreign, "untrusted": c.Dials.Untrusted, "self": c.Dials.Self,
	} {
		s.count(dials, n, c.Name, result)
	}
	s.times(dialTime, c.DialTime, c.Name)
	s.count(drops, c.Disconnects-c.DisconnectFailures, c.Name, "ok")
	s.count(drops, c.DisconnectFailures, c.Name, "error")
	s.count(overruns, c.Overruns, c.Name)
}
