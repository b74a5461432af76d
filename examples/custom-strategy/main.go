// Command custom-strategy finds peers in a way of its own: the file jsonfile.go is a whole strategy.
//
//	go run ./examples/custom-strategy
//
// It writes a JSON file with one peer, waits until that peer is connected, adds a second to the
// file and waits for that one too. Its connector only remembers whom it was asked to connect.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/builtin"
)

//go:embed topology.yaml
var topology []byte

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "custom-strategy:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "custom-strategy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "peers.json")
	if err := os.Setenv("PEERS_FILE", file); err != nil {
		return err
	}
	strategies, err := builtin.Registry().With(jsonFile())
	if err != nil {
		return err
	}
	config, err := cluster.Parse("topology.yaml", topology, cluster.LoadOptions{Strategies: strategies})
	if err != nil {
		return err
	}
	m := &memory{added: make(chan peer.Peer)}
	s, err := cluster.New(config, cluster.WithConnector("memory", m.connector()))
	if err != nil {
		return err
	}
	return show(s, file, m.added)
}

// show writes the file twice and waits each time until the new peer is connected.
func show(s *cluster.Supervisor, file string, added <-chan peer.Peer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	for _, text := range []string{
		`[{"addr": "10.0.0.1:7946", "id": "first"}]`,
		`[{"addr": "10.0.0.1:7946", "id": "first"}, {"addr": "10.0.0.2:7946", "id": "second"}]`,
	} {
		if err := replace(file, text); err != nil {
			return err
		}
		fmt.Println("the file holds", text)
		select {
		case p := <-added:
			fmt.Println("connected to  ", p)
		case <-ctx.Done():
			return errors.New("the peer was not connected within 20 s")
		}
	}
	return nil
}

// replace writes a file so that no reader sees half of it.
func replace(file, text string) error {
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// memory is a connector that opens no connection: it only remembers.
type memory struct {
	added chan peer.Peer

	mu        sync.Mutex // guards connected
	connected []peer.Peer
}

func (m *memory) connector() connector.Funcs {
	return connector.Funcs{
		ConnectFunc: func(ctx context.Context, p peer.Peer) error {
			m.mu.Lock()
			m.connected = append(m.connected, p)
			m.mu.Unlock()
			select {
			case m.added <- p:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		ListFunc: func(context.Context) ([]peer.Peer, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return append([]peer.Peer(nil), m.connected...), nil
		},
	}
}
