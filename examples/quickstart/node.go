package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/connector/memberlist"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// report is what a node prints, one JSON object a line: its name and whom it sees.
type report struct {
	Node string   `json:"node"`
	Sees []string `json:"sees"` // itself included, sorted
}

// lookEvery is how often the members are read, which costs next to nothing.
const lookEvery = 20 * time.Millisecond

// node is all that a program needs to take part in a cluster.
func node(ctx context.Context, file string) error {
	config, err := cluster.Load(file, cluster.Vocabulary{
		Strategies: builtin.Registry(),
		Connectors: []string{"gossip", "memberlist"},
	})
	if err != nil {
		return err
	}
	level := hclog.LevelFromString(os.Getenv("QUICKSTART_LOG")) // "debug" shows how it works
	if level == hclog.NoLevel {
		level = hclog.Error
	}
	log := hclog.New(&hclog.LoggerOptions{Name: config.Node.Name, Level: level, Output: os.Stderr})
	name := config.Topologies[0].Connector
	members, err := carrier(name, config, log)
	if err != nil {
		return err
	}
	supervisor, err := cluster.New(config, cluster.WithLogger(log), cluster.WithConnector(name, members))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // standard input ends when the process that started this one does
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch(ctx, config.Node.Name, members)
	}()
	err = supervisor.Run(ctx)
	if ctx.Err() != nil {
		err = nil // it was told to stop
	}
	cancel()
	<-done
	return err
}

// carrier makes the connector of a name. A program that offers one needs none of this.
func carrier(name string, config *cluster.Config, log hclog.Logger) (connector.Connector, error) {
	if name == "gossip" {
		return gossip.New(gossip.Config{Name: config.Node.Name, ClusterID: config.Cluster, Listen: config.Node.Listen, Log: log})
	}
	return memberlist.New(memberlist.Config{
		Name: config.Node.Name, ClusterID: config.Cluster, Listen: config.Node.Listen, Profile: memberlist.Local, Log: log,
	})
}

// watch prints a report whenever the members have changed.
func watch(ctx context.Context, self string, members connector.Connector) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last []string
	for {
		peers, err := members.List(ctx)
		sees := []string{self}
		for _, p := range peers {
			sees = append(sees, p.ID)
		}
		slices.Sort(sees)
		if err == nil && !slices.Equal(sees, last) {
			_ = json.NewEncoder(os.Stdout).Encode(report{self, sees})
			last = sees
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
