// Package cluster calls nodes together and keeps them together.
//
// A [Supervisor] runs one strategy for each topology of its [Config]. What the strategies find goes
// to one reconciler for each connector, which dials whoever is wanted and not connected,
// for as long as it runs: that is what forms a cluster and what heals it. An error is never taken for
// an empty answer, and nothing that a strategy or a connector does (fail, hang, panic)
// stops the others or the application. Only a bad configuration fails a start.
//
//	config, err := cluster.Load("topology.yaml", cluster.LoadOptions{Strategies: builtin.Registry()})
//	supervisor, err := cluster.New(config, cluster.WithConnector("mesh", mesh))
//	go supervisor.Run(ctx)
//	err = supervisor.Formed(ctx)
package cluster
