package main

import (
	"context"
	"net"
	"sync"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// lines holds one open TCP connection a peer: the whole connector, as three callbacks.
type lines struct {
	mu   sync.Mutex // guards open
	open map[peer.Peer]net.Conn
}

// Connect dials under the deadline that ctx carries. A peer that is connected already is not an error.
func (l *lines) Connect(ctx context.Context, p peer.Peer) error {
	l.mu.Lock()
	_, connected := l.open[p]
	l.mu.Unlock()
	if connected {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.Addr)
	if err != nil {
		return err // it is tried again, after a backoff, for as long as the strategy names the peer
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[p] = conn
	return nil
}

// Disconnect closes the connection.
func (l *lines) Disconnect(_ context.Context, p peer.Peer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn := l.open[p]; conn != nil {
		delete(l.open, p)
		return conn.Close()
	}
	return nil
}

// List returns the peers that are connected.
func (l *lines) List(context.Context) ([]peer.Peer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []peer.Peer
	for p := range l.open {
		all = append(all, p)
	}
	return all, nil
}

func (l *lines) connector() connector.Connector {
	return connector.Funcs{ConnectFunc: l.Connect, DisconnectFunc: l.Disconnect, ListFunc: l.List}
}
