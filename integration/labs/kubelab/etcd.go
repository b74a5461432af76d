package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcd is a store of one member that never flushes: its data need not survive the machine.
type etcd struct{ *embed.Etcd }

// startEtcd starts it on free ports of the loopback interface and waits until it serves.
func startEtcd(ctx context.Context, dir string) (*etcd, error) {
	anywhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c := embed.NewConfig()
	c.Dir = filepath.Join(dir, "etcd")
	c.LogLevel = "error"
	c.UnsafeNoFsync = true
	c.EnableGRPCGateway = false      // it would dial the address that is advertised
	c.TickMs, c.ElectionMs = 10, 100 // alone, it need not wait for others
	c.ListenClientUrls, c.AdvertiseClientUrls = anywhere, anywhere
	c.ListenPeerUrls, c.AdvertisePeerUrls = anywhere, anywhere
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	e, err := embed.StartEtcd(c)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	select {
	case <-e.Server.ReadyNotify():
		return &etcd{e}, nil
	case err := <-e.Err():
		return nil, fmt.Errorf("etcd: %w", err)
	case <-ctx.Done():
		return nil, fmt.Errorf("etcd is not ready: %w", ctx.Err())
	}
}

func (e *etcd) url() string { return "http://" + e.Clients[0].Addr().String() }

// compact forgets all older versions and returns the oldest revision that is left.
func (e *etcd) compact(ctx context.Context) (int64, error) {
	revision := e.Server.KV().Rev()
	_, err := e.Server.Compact(ctx, &etcdserverpb.CompactionRequest{Revision: revision, Physical: true})
	return revision, err
}

// close ends the store. The API server is its client to the end of the process, so its end is not waited for.
func (e *etcd) close() { e.Server.HardStop() }
