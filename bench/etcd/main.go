// Command etcd measures concurrency.Election on an embedded etcd of one member with its disk: how many seconds after the death of the leader's
// process the next one leads. It prints them as a list in JSON. It is a module of its own, so that the bench does not depend on a server of etcd.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/server/v3/embed"
)

// within bounds the start of the server, and each wait for a leader.
const within = 2 * time.Minute

func main() {
	ttl := flag.Int("ttl", 5, "time to live of a session, in seconds")
	runs := flag.Int("runs", 5, "how many leaders die")
	flag.Parse()
	took, err := measure(*ttl, *runs)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(took)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
}

func measure(ttl, runs int) (took []float64, err error) {
	dir, err := os.MkdirTemp("", "etcd")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := start(dir)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	for range runs {
		d, err := failover(server.Clients[0].Addr().String(), ttl)
		if err != nil {
			return took, err
		}
		took = append(took, d.Seconds())
	}
	return took, nil
}

func start(dir string) (*embed.Etcd, error) {
	c := embed.NewConfig()
	c.Dir, c.LogLevel = dir, "fatal"
	free := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.ListenClientUrls, c.ListenPeerUrls = free, free
	server, err := embed.StartEtcd(c)
	if err != nil {
		return nil, err
	}
	select {
	case <-server.Server.ReadyNotify():
		return server, nil
	case <-time.After(within):
		server.Close()
		return nil, errors.New("the server is not ready")
	}
}

// failover has two candidates stand, ends the first one's connection as the death of its process does, at a random moment of the interval
// between two renewals, and returns how long the second one waits.
func failover(addr string, ttl int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	dying, first, err := candidate(addr, ttl)
	if err != nil {
		return 0, err
	}
	living, second, err := candidate(addr, ttl)
	if err != nil {
		return 0, err
	}
	defer living.Close()
	if err := first.Campaign(ctx, "first"); err != nil {
		return 0, err
	}
	won := make(chan error, 1)
	go func() { won <- second.Campaign(ctx, "second") }() // ends with ctx, and is waited for
	time.Sleep(rand.N(time.Duration(ttl) * time.Second / 3))
	begin := time.Now()
	if err := dying.Close(); err != nil && !errors.Is(err, context.Canceled) { // nothing renews the session, and nothing revokes it
		return 0, err
	}
	err = <-won
	return time.Since(begin), err
}

func candidate(addr string, ttl int) (*clientv3.Client, *concurrency.Election, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{addr}, DialTimeout: within})
	if err != nil {
		return nil, nil, err
	}
	session, err := concurrency.NewSession(client, concurrency.WithTTL(ttl))
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return client, concurrency.NewElection(session, "/bench"), nil
}
