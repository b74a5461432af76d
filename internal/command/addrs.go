package command

import (
	"context"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/strategy"
)

func newAddrs() *cobra.Command {
	var path string
	var as format
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "addrs -c FILE [TOPOLOGY]",
		Short: "Run the strategies once and print the peers they find",
		Long: `addrs runs the strategies of the file (or of one topology) until each has answered once,
prints the peers and ends. It connects to no peer. It exits with 1 if a topology gave nothing but an error.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if timeout <= 0 {
				return fmt.Errorf("--timeout %v is not above 0", timeout)
			}
			config, err := inspectFile(path)
			if err != nil {
				return err
			}
			topologies, err := pickTopologies(config, args)
			if err != nil {
				return err
			}
			return printAddrs(c, askAll(c.Context(), config, topologies, timeout), as)
		},
	}
	configFlag(c, &path)
	formatFlag(c, &as)
	c.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "how long to wait for the first answer of each strategy")
	return c
}

// printAddrs prints the findings and fails if one of them is nothing but an error.
func printAddrs(c *cobra.Command, found []finding, as format) error {
	var err error
	if as == asJSON {
		err = printJSON(c.OutOrStdout(), found)
	} else {
		err = printFindings(c.OutOrStdout(), c.ErrOrStderr(), found)
	}
	if err != nil {
		return failedError(err)
	}
	for _, f := range found {
		if f.Answer == answerNone {
			return errReported
		}
	}
	return nil
}

// How much a strategy knew.
const (
	answerComplete = "complete"
	answerPartial  = "partial"
	answerNone     = "none"
)

// finding is what one strategy answered.
type finding struct {
	Topology string      `json:"topology"`
	Strategy string      `json:"strategy"`
	Answer   string      `json:"answer"`
	Error    string      `json:"error,omitempty"`
	Peers    []foundPeer `json:"peers"`
}

// foundPeer is a peer.Peer with names for JSON.
type foundPeer struct {
	Addr    string `json:"addr"`
	ID      string `json:"id,omitempty"`
	Zone    string `json:"zone,omitempty"`
	Version string `json:"version,omitempty"`
	Attrs   string `json:"attrs,omitempty"`
}

// askAll asks all topologies at once.
func askAll(ctx context.Context, config *cluster.Config, topologies []cluster.Topology, timeout time.Duration) []finding {
	found := make([]finding, len(topologies))
	var wg sync.WaitGroup
	for i, t := range topologies {
		wg.Go(func() { found[i] = askStrategy(ctx, config.Node.Cluster, t, timeout) })
	}
	wg.Wait()
	return found
}

// askStrategy runs the strategy of a topology until it has answered.
func askStrategy(ctx context.Context, clusterID string, t cluster.Topology, timeout time.Duration) finding {
	f := finding{Topology: t.Name, Strategy: t.Strategy, Answer: answerNone, Peers: []foundPeer{}}
	s, err := t.Config.New(strategy.Env{Log: hclog.NewNullLogger(), Topology: t.Name, ClusterID: clusterID})
	if err != nil {
		f.Error = err.Error()
		return f
	}
	a := firstAnswer(ctx, s, timeout)
	for _, p := range a.peers {
		f.Peers = append(f.Peers, foundPeer{p.Addr, p.ID, p.Zone, p.Version, p.Attrs})
	}
	f.Answer = a.kind
	if a.err != nil {
		f.Error = a.err.Error()
	}
	return f
}

// printFindings prints one row a peer, and one for a topology without peers; then the errors.
func printFindings(stdout, stderr io.Writer, found []finding) error {
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TOPOLOGY\tSTRATEGY\tADDR\tID\tZONE\tVERSION\tANSWER")
	for _, f := range found {
		peers := f.Peers
		if len(peers) == 0 {
			peers = []foundPeer{{}}
		}
		for _, p := range peers {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Topology, f.Strategy,
				orNothing(p.Addr), orNothing(p.ID), orNothing(p.Zone), orNothing(p.Version), f.Answer)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range found {
		if f.Error != "" {
			fmt.Fprintf(stderr, "topology %s: %s\n", f.Topology, f.Error)
		}
	}
	return nil
}
