package prom

import (
	"time"

	"github.com/goconvoke/convoke/cluster"
)

var (
	topologyInfo      = gauge("topology_info", "Always 1; the strategy and the connector of a topology.", "topology", "strategy", "connector")
	topologyFormed    = gauge("topology_formed", "Whether the topology was whole once.", "topology")
	topologyWhole     = gauge("topology_whole", "Whether the topology is whole now: enough peers are connected.", "topology")
	topologyExpected  = gauge("topology_expected_nodes", "Nodes that the cluster should have, this one included. Absent without expect.", "topology")
	topologyPeers     = gauge("topology_peers", "Peers by state; each peer counts once.", "topology", "state")
	topologyLeaving   = gauge("topology_leaving", "Whether this node is missing from the answers of its source, so that it dials no peer.", "topology")
	topologyFormedIn  = gauge("topology_first_formed_seconds", "Time from the start of the topology until it was whole first. Absent before.", "topology")
	strategyState     = gauge("strategy_state", "What the strategy is doing: one of the states is 1.", "topology", "state")
	strategyRestarts  = counter("strategy_restarts_total", "Restarts of the strategy after crashes.", "topology")
	discoveryAnswers  = counter("discovery_answers_total", "Answers of the source by kind; none counts reports that there was no answer.", "topology", "answer")
	discoveryAnswered = gauge("discovery_last_answer_timestamp_seconds", "When the source gave the last answer of a kind. Absent until the first.", "topology", "answer")
	discoveryLookup   = histogram("discovery_lookup_seconds", "Duration of lookups of a strategy that looks up again and again.", "topology")
	discoveryHeld     = gauge("discovery_empty_held", "Empty answers in a row that are not believed yet.", "topology")
)

var topologyFamilies = []*family{topologyInfo, topologyFormed, topologyWhole, topologyExpected, topologyPeers, topologyLeaving, topologyFormedIn,
	strategyState, strategyRestarts, discoveryAnswers, discoveryAnswered, discoveryLookup, discoveryHeld}

// topology sends what is known of one topology.
func (s scrape) topology(t cluster.TopologyStats) {
	s.put(topologyInfo, 1, t.Name, t.Strategy, t.Connector)
	s.is(topologyFormed, t.Formed, t.Name)
	s.is(topologyWhole, t.Whole, t.Name)
	if t.Expect > 0 {
		s.put(topologyExpected, float64(t.Expect), t.Name)
	}
	s.is(topologyLeaving, t.Leaving, t.Name)
	if t.Formed {
		s.put(topologyFormedIn, t.FormedIn.Seconds(), t.Name)
	}
	for state, n := range map[string]int{
		"connected": t.Peers.Connected, "untried": t.Peers.Untried, "failing": t.Peers.Failing, "foreign": t.Peers.Foreign, "unwanted": t.Peers.Unwanted,
	} {
		s.put(topologyPeers, float64(n), t.Name, state)
	}
	for _, state := range []cluster.State{cluster.Starting, cluster.Running, cluster.Restarting, cluster.Failed} {
		s.is(strategyState, t.State == state, t.Name, string(state))
	}
	s.count(strategyRestarts, t.Restarts, t.Name)
	s.put(discoveryHeld, float64(t.EmptyHeld), t.Name)
	s.times(discoveryLookup, t.LookupTime, t.Name)
	s.answers(t)
}

// answers sends what a source has answered.
func (s scrape) answers(t cluster.TopologyStats) {
	for _, a := range []struct {
		kind  string
		count uint64
		last  time.Time
	}{{"complete", t.Complete, t.LastSet}, {"partial", t.Partial, t.LastAdd}, {"none", t.Failures, t.LastFail}} {
		s.count(discoveryAnswers, a.count, t.Name, a.kind)
		s.at(discoveryAnswered, a.last, t.Name, a.kind)
	}
}
