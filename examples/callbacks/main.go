// Command callbacks connects peers in a way of its own: connect, disconnect and list are plain functions.
//
//	go run ./examples/callbacks
//
// lines.go holds the three as a connector. The topology "recorded" replaces one of them by
// name, as topology.yaml has it. The two phones to call are listeners of this same process, so the example ends by itself.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/builtin"
)

//go:embed topology.yaml
var topology []byte

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "callbacks:", err)
		os.Exit(1)
	}
}

func run() error {
	for _, name := range []string{"PHONE_A", "PHONE_B"} {
		phone, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer phone.Close()
		if err := os.Setenv(name, phone.Addr().String()); err != nil {
			return err
		}
	}
	config, err := cluster.Parse("topology.yaml", topology, cluster.LoadOptions{
		Strategies: builtin.Registry(),
		Connect:    []string{"recorded.connect"},
	})
	if err != nil {
		return err
	}
	l := &lines{open: make(map[peer.Peer]net.Conn)}
	recorded := func(ctx context.Context, p peer.Peer) error {
		fmt.Println("this call is recorded")
		return l.Connect(ctx, p)
	}
	s, err := cluster.New(config, cluster.WithConnector("phone", l.connector()), cluster.WithConnect("recorded.connect", recorded))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	err = s.Formed(ctx)
	if err == nil {
		var open []peer.Peer
		open, err = l.List(ctx)
		fmt.Printf("connected to %d phones\n", len(open))
	}
	cancel()
	<-ended
	return err
}
