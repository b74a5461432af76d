package prom

import "github.com/goconvoke/convoke/cluster"

var (
	nodeInfo           = gauge("node_info", "Always 1; the name of this node and the version that it publishes.", "member", "version")
	configHash         = gauge("config_hash", "Low 53 bits of a hash of the configuration file in force: equal on nodes with the same file. Absent without a file.")
	configReloadOK     = gauge("config_last_reload_successful", "Whether the configuration file that was read last is in force.")
	configReloadedTime = gauge("config_last_reload_success_timestamp_seconds", "When a configuration was taken last, the one at the start included.")
	events             = counter("events_total", "Events of the supervisor.", "kind")
)

var supervisorFamilies = append(append([]*family{nodeInfo, configHash, configReloadOK, configReloadedTime, events},
	topologyFamilies...), connectorFamilies...)

// supervisor sends what a supervisor counts.
func (s scrape) supervisor(stats cluster.Stats) {
	s.put(nodeInfo, 1, stats.Node, stats.Version)
	if stats.Config.Hash != 0 {
		s.put(configHash, hash(stats.Config.Hash))
	}
	s.is(configReloadOK, !stats.Config.ReloadFailed)
	s.at(configReloadedTime, stats.Config.Loaded)
	for _, kind := range cluster.EventKinds() { // those that did not occur too: increase() needs the 0 before the first
		s.count(events, stats.Events[kind], string(kind))
	}
	for _, t := range stats.Topologies {
		s.topology(t)
	}
	named := make(map[string]bool)
	for _, c := range stats.Connectors {
		if named[c.Name] {
			c.Name = "list " + c.Name // a callback with the name of a connector
		}
		named[c.Name] = true
		s.connector(c)
	}
}
