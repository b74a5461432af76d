// Command embed is a small web service whose copies find each other at start-up, before they serve.
// Start it in two terminals:
//
//	EMBED_NODE=left go run ./examples/embed
//	EMBED_NODE=right go run ./examples/embed
//
// Each prints its URL as soon as it knows the other. Ctrl-C, or the end of -for 10s, says goodbye.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/strategy/builtin"
)

func main() {
	file := flag.String("config", "examples/embed/topology.yaml", "topology `file`")
	limit := flag.Duration("for", 24*time.Hour, "how long to serve")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()

	// Joining: these lines are all that a service adds.
	config, err := cluster.Load(*file, cluster.Vocabulary{Strategies: builtin.Registry(), Connectors: []string{"gossip"}})
	check(err)
	members, err := gossip.New(gossip.Config{Name: config.Node.Name, ClusterID: config.Cluster, Listen: config.Node.Listen})
	check(err)
	supervisor, err := cluster.New(config, cluster.WithConnector("gossip", members))
	check(err)
	left := make(chan error, 1)
	go func() { left <- supervisor.Run(ctx) }()
	check(supervisor.Ready(ctx)) // waits for the others; its error says what is missing

	// Serving.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := &http.Server{Handler: whoIsHere(config.Node.Name, members), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Printf("%s is ready: http://%s\n", config.Node.Name, listener.Addr())
	<-left
	_ = server.Close()
	<-served
}

// whoIsHere answers with the names and addresses of the other copies.
func whoIsHere(self string, members *gossip.Connector) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers, err := members.List(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "here:", self, "others:", peers)
	})
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
