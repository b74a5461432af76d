// Command embed is a small web service whose copies find each other at start-up. See README.md.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector/memberlist"
	"github.com/goconvoke/convoke/strategy/builtin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	file := "examples/embed/topology.yaml"
	if len(os.Args) > 1 {
		file = os.Args[1]
	}

	config, err := cluster.Load(file, cluster.Vocabulary{Strategies: builtin.Registry(), Connectors: []string{"memberlist"}})
	check(err)
	members, err := memberlist.New(memberlist.Config{Name: config.Node.Name, ClusterID: config.Cluster, Listen: config.Node.Listen})
	check(err)
	supervisor, err := cluster.New(config, cluster.WithConnector("memberlist", members))
	check(err)
	left := make(chan error, 1)
	go func() { left <- supervisor.Run(ctx) }()

	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	check(supervisor.Ready(soon)) // says why, if the others are not found
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("%s is ready: http://%s\n", config.Node.Name, listener.Addr())
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers, err := members.List(r.Context())
		fmt.Fprintln(w, "here:", config.Node.Name, "others:", peers, "error:", err)
	}))
	<-left
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
