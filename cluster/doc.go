// Package cluster forms clusters of nodes, and forms them again after a failure.
//
// A [Supervisor] runs one strategy for each topology of its [Config]. What the strategies find goes
// to one reconciler for each connector, which dials every peer that is wanted and not connected,
// for as long as it runs: that is what forms a cluster and what heals it. An error is never taken for
// an empty answer, and nothing that a strategy or a connector does (fail, hang, panic)
// stops the others or the application. Only a bad configuration fails a start.
//
// One goroutine owns each piece of state: the loop of a reconciler its peers and topologies, the loop of Run the configuration. They
// run no code of strategies and connectors, and publish immutable snapshots, which [Supervisor.Status], [Supervisor.Stats],
// [Supervisor.Watch], [Supervisor.Live], [Supervisor.Formed] and [Supervisor.Whole] read without waiting. [Follow] runs one strategy
// without a connector.
//
//	config, err := cluster.Load("topology.yaml", cluster.LoadOptions{Strategies: builtin.Registry()})
//	supervisor, err := cluster.New(config, cluster.WithConnector("mesh", mesh))
//	go supervisor.Run(ctx)
//	err = supervisor.Formed(ctx)
package cluster
