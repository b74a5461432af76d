package main

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// serve starts a gRPC server on the loopback interface until the test ends and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return l.Addr().String()
}

// list puts a file that names these servers in place of the last one.
func list(t *testing.T, path string, addrs ...string) {
	t.Helper()
	text, err := json.Marshal([]map[string][]string{{"targets": addrs}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// wantServers calls until the last 20 answers came from exactly these servers.
func wantServers(t *testing.T, conn *grpc.ClientConn, want ...string) {
	t.Helper()
	slices.Sort(want)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var last []string
	for {
		addr, err := call(ctx, conn)
		if err != nil {
			if ctx.Err() != nil {
				t.Fatalf("calls reached %v and then failed, want %v: %v", last, want, err)
			}
			continue // the first file may not be read yet
		}
		if last = append(last, addr); len(last) < 20 {
			continue
		}
		last = last[len(last)-20:]
		seen := make(map[string]bool)
		for _, a := range last {
			seen[a] = true
		}
		if slices.Equal(slices.Sorted(maps.Keys(seen)), want) {
			return
		}
	}
}

func TestCallsReachTheServersOfTheFileAlsoAfterItChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "servers.json")
	t.Setenv("SERVERS_FILE", file)
	config, err := cluster.Load("topology.yaml", cluster.LoadOptions{Strategies: builtin.Registry()})
	if err != nil {
		t.Fatal(err)
	}
	first, second, third := serve(t), serve(t), serve(t)
	list(t, file, first, second)
	conn, err := dial(config, "convoke:///orders", hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wantServers(t, conn, first, second)
	list(t, file, second, third)
	wantServers(t, conn, second, third)
	if err := os.Remove(file); err != nil { // an error is not an empty answer
		t.Fatal(err)
	}
	wantServers(t, conn, second, third)
}

func TestAnUnknownTopologyFailsTheCallWithItsName(t *testing.T) {
	t.Setenv("SERVERS_FILE", "none.json")
	config, err := cluster.Load("topology.yaml", cluster.LoadOptions{Strategies: builtin.Registry()})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dial(config, "convoke:///oders", hclog.NewNullLogger())
	if err == nil {
		defer conn.Close()
		_, err = call(t.Context(), conn)
	}
	if err == nil || !strings.Contains(err.Error(), `no topology is named "oders"`) {
		t.Errorf("error %v, want the name that is unknown", err)
	}
}
