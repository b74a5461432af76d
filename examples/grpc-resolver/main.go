// Command grpc-resolver calls gRPC servers that a strategy finds, in turn: a resolver for targets such as convoke:///orders in 70
// lines over cluster.Follow. It needs no connector and no member of its own.
//
//	cd examples/grpc-resolver
//	SERVERS_FILE=servers.json go run . topology.yaml convoke:///orders
//
// It asks each server for its health once a second and prints which one answered. Change the file meanwhile.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// roundRobin spreads the calls over all servers.
const roundRobin = `{"loadBalancingConfig": [{"round_robin": {}}]}`

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "grpc-resolver:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: %s FILE convoke:///TOPOLOGY", os.Args[0])
	}
	config, err := cluster.Load(os.Args[1], cluster.LoadOptions{Strategies: builtin.Registry()})
	if err != nil {
		return err
	}
	conn, err := dial(config, os.Args[2], hclog.New(&hclog.LoggerOptions{Level: hclog.Warn}))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		addr, err := call(ctx, conn)
		if ctx.Err() != nil {
			return nil
		}
		fmt.Println(addr, err)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// dial opens a connection to the servers of a target. Use the credentials of your servers in place of insecure.
func dial(config *cluster.Config, target string, log hclog.Logger) (*grpc.ClientConn, error) {
	return grpc.NewClient(target,
		grpc.WithResolvers(&builder{config: config, log: log}),
		grpc.WithDefaultServiceConfig(roundRobin),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	)
}

// call asks one server for its health, within 5 s, and returns which one answered.
func call(ctx context.Context, conn *grpc.ClientConn) (addr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var server peer.Peer
	_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, new(grpc_health_v1.HealthCheckRequest), grpc.Peer(&server))
	if err != nil {
		return "", err
	}
	return server.Addr.String(), nil
}
