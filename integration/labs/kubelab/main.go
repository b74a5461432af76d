// Command kubelab is a Kubernetes control plane as small as it can be: etcd, the API server and the
// controller of EndpointSlices in one process. There is no scheduler and no kubelet: its user writes
// the pods, their addresses and their conditions.
//
// When the API server is ready it prints one line of JSON, see [ready]. Started again with the
// same directory and port it goes on where it ended: data, certificates and tokens are the same. It reads commands,
// one a line, from standard input, answers each with a line of JSON, and ends at the end of the input, so it
// never outlives the one who started it.
//
//	compact   forget all older versions of all objects
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"
	_ "time/tzdata"
)

const (
	startTimeout   = 2 * time.Minute // a busy machine needs tens of seconds
	readyTimeout   = 5 * time.Second // of a question whether the API server is ready
	commandTimeout = 20 * time.Second
)

// ready is the line that describes how to reach the API server.
type ready struct {
	URL        string `json:"url"`
	CA         string `json:"ca"`         // file: PEM
	Token      string `json:"token"`      // of an administrator
	Kubeconfig string `json:"kubeconfig"` // file, with that token
}

func main() {
	dir := flag.String("dir", "", "directory of all state; it exists")
	bind := flag.String("bind", "127.0.0.1", "IP address to serve the API on")
	port := flag.Int("port", 0, "port of the API; 0 takes a free one")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: kubelab -dir DIR [-bind IP] [-port N] [-- FLAGS OF KUBE-APISERVER]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*dir, *bind, *port, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "kubelab:", err)
		os.Exit(1)
	}
}

// run serves until standard input ends or something fails.
func run(dir, bind string, port int, more []string) error {
	if dir == "" {
		return errors.New("-dir is required")
	}
	if port == 0 {
		free, err := freePort(bind)
		if err != nil {
			return err
		}
		port = free
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	etcd, err := startEtcd(ctx, dir)
	if err != nil {
		return err
	}
	server := &apiServer{dir: dir, bind: bind, port: port, etcd: etcd.url(), more: more}
	if err := server.start(ctx); err != nil {
		return err
	}
	controllers, stop := context.WithCancel(context.Background())
	defer stop()
	if err := startEndpointSlices(controllers, server.config()); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(ready{URL: server.url(), CA: server.ca(), Token: server.token, Kubeconfig: server.kubeconfig()}); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- obey(etcd, out) }()
	select {
	case err = <-ended:
	case err = <-server.failed:
	}
	etcd.close()
	return err
}

// obey carries out the commands of standard input until that ends.
func obey(e *etcd, out *json.Encoder) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if command := lines.Text(); command != "compact" {
			return fmt.Errorf("unknown command %q, want compact", command)
		}
		ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
		revision, err := e.compact(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("compact: %w", err)
		}
		if err := out.Encode(map[string]int64{"compacted": revision}); err != nil {
			return err
		}
	}
	return lines.Err()
}

// freePort returns a port that was free a moment ago.
func freePort(bind string) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(bind, "0"))
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
