// Command groupcache is one process of a cache that several share: golang/groupcache, whose peers are the members of a gossip cluster
// and whose requests travel over streams on the port of the node.
//
// It answers keys from stdin, a line each, with the value and the member that loaded it.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/golang/groupcache"

	"github.com/goconvoke/convoke/gossip"
)

// protocol is that of the streams.
const protocol = "groupcache"

func main() {
	name := flag.String("name", "", "name of this process")
	listen := flag.String("listen", "127.0.0.1:0", "host:port of the node")
	join := flag.String("join", "", "host:port of another process")
	flag.Parse()
	if err := run(*name, *listen, *join, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(name, listen, join string, in io.Reader, out io.Writer) error {
	node, err := gossip.Start(gossip.Config{Name: name, ClusterID: "groupcache", Listen: listen})
	if err != nil {
		return err
	}
	defer node.Stop()
	listener, err := node.Listen(protocol)
	if err != nil {
		return err
	}
	pool := newPool(node)
	server := &http.Server{Handler: pool, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // until the node ends
	cache := groupcache.NewGroup("words", 1<<20, groupcache.GetterFunc(func(_ context.Context, key string, dest groupcache.Sink) error {
		return dest.SetString(key + " loaded by " + name)
	}))
	go follow(node, pool)
	fmt.Fprintln(out, "listening on", node.Addr())
	if join != "" {
		if err := node.Join(context.Background(), join); err != nil {
			return err
		}
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var value string
		if err := cache.Get(context.Background(), lines.Text(), groupcache.StringSink(&value)); err != nil {
			value = err.Error()
		}
		fmt.Fprintln(out, value)
	}
	return nil
}

// newPool returns the peers of groupcache: member NAME is http://NAME.
func newPool(node *gossip.Node) *groupcache.HTTPPool {
	pool := groupcache.NewHTTPPool("http://" + node.Name())
	streams := &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		member, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return node.Dial(ctx, member, protocol)
	}}
	pool.Transport = func(context.Context) http.RoundTripper { return streams }
	return pool
}

// follow keeps the peers those that are up, until the node ends.
func follow(node *gossip.Node, pool *groupcache.HTTPPool) {
	for change := range node.Watch(context.Background()) {
		var peers []string
		for m := range change.View.All() {
			if m.Up() {
				peers = append(peers, "http://"+m.Name)
			}
		}
		pool.Set(peers...)
	}
}
