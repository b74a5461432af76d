// Command embed is a small web service whose copies find each other at start-up, before they serve.
// Start it in two terminals:
//
//	EMBED_NODE=left go run ./examples/embed
//	EMBED_NODE=right go run ./examples/embed
//
// Each prints its URL as soon as it knows the other. Ctrl-C, or the end of -for 10s, makes it leave. /livez and /readyz are for probes,
// and `convoke status -c examples/embed/topology.yaml` reports on the copy of the same EMBED_NODE.
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

	"github.com/goconvoke/convoke/agent"
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
	node, err := agent.Start(ctx, *file, agent.Options{Strategies: builtin.Registry()})
	check(err)
	defer node.Stop()       // leaves the cluster
	check(node.Formed(ctx)) // waits for the others; its error names what is missing

	// Serving.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	mux := http.NewServeMux()
	mux.Handle("/", whoIsHere(node))
	mux.Handle("/livez", node.Handler())
	mux.Handle("/readyz", node.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Printf("%s is ready: http://%s\n", node.Config().Name, listener.Addr())
	<-node.Done()
	_ = server.Close()
	<-served
}

// whoIsHere answers with the names and addresses of the copies that are known.
func whoIsHere(node *agent.Node) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		members, err := node.Members(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "here: ", node.Config().Name, " members:")
		for _, m := range members {
			fmt.Fprintf(w, " %s@%s", m.Name, m.Addr)
		}
		fmt.Fprintln(w)
	})
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
