// Command quickstart shows a cluster form, lose a node and become whole again:
//
//	go run ./examples/quickstart
//
// It starts three processes that know nothing but one topology file, kills one of them, and starts
// it again. Nothing is needed but Go; the nodes find each other through a directory of this machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const (
	limit   = 30 * time.Second // for the whole demonstration
	nodeEnv = "QUICKSTART_NODE"
	fileEnv = "QUICKSTART_FILE"
)

// topologies is the whole file that the nodes share.
const topologies = `cluster: quickstart
node:
  name: ${QUICKSTART_NODE}
  listen: 127.0.0.1:0
topologies:
  here:
    strategy: local
    config:
      dir: ${QUICKSTART_DIR}
    expect: 3
`

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if os.Getenv(nodeEnv) != "" {
		err = runNode(ctx, os.Getenv(fileEnv))
	} else {
		err = demonstrate(ctx)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// demonstrate runs the scenario. It ends every process it started.
func demonstrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %v", limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "topology.yaml")
	if err := os.WriteFile(file, []byte(topologies), 0o600); err != nil {
		return err
	}
	s := newDemo(dir, file)
	defer s.endAll()
	return runScenario(ctx, s)
}

// runScenario is what the reader is shown.
func runScenario(ctx context.Context, s *demo) error {
	all := []string{"a", "b", "c"}
	s.printLine("three processes start; all they know is %s", s.file)
	for _, name := range all {
		if err := s.startNode(name); err != nil {
			return err
		}
	}
	formed, err := s.awaitViews(ctx, all, all)
	if err != nil {
		return fmt.Errorf("waiting for the cluster to form: %w", err)
	}
	s.printLine("formed: each of the three sees all three")

	s.printLine("kill -9 c")
	if err := s.killNode("c"); err != nil {
		return err
	}
	noticed, err := s.awaitViews(ctx, []string{"a", "b"}, []string{"a", "b"})
	if err != nil {
		return fmt.Errorf("waiting for the loss of c to be noticed: %w", err)
	}
	s.printLine("noticed: a and b see each other alone")

	s.printLine("c starts again")
	if err := s.startNode("c"); err != nil {
		return err
	}
	whole, err := s.awaitViews(ctx, all, all)
	if err != nil {
		return fmt.Errorf("waiting for c to be back: %w", err)
	}
	s.endAll()
	fmt.Printf("formed 3 nodes in %s; noticed the loss in %s; whole again in %s\n", rounded(formed), rounded(noticed), rounded(whole))
	return nil
}

// rounded writes a duration in seconds with two digits.
func rounded(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }
