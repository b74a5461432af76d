package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/multicast"
)

func newListen() *cobra.Command {
	var path string
	var as format
	var limit time.Duration
	c := &cobra.Command{
		Use:   "listen -c FILE [TOPOLOGY]",
		Short: "Print the multicast heartbeats that arrive here, and why each would be dropped",
		Long: `listen prints every datagram that arrives at the port of a multicast topology, with the verdict that a
node with this file would reach: "accepted", or why it would drop the packet. It sends nothing.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 0 {
				return fmt.Errorf("--for %v is below 0", limit)
			}
			config, err := inspectFile(path)
			if err != nil {
				return err
			}
			topologies, err := multicastTopologies(config, args)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(c.Context())
			if limit > 0 {
				ctx, cancel = context.WithTimeout(c.Context(), limit)
			}
			defer cancel()
			return listenAll(ctx, config.Node.Cluster, topologies, &packetPrinter{as: as, w: c.OutOrStdout()}, c.ErrOrStderr())
		},
	}
	configFlag(c, &path)
	formatFlag(c, &as)
	c.Flags().DurationVar(&limit, "for", 0, "how long to listen (default: until interrupted)")
	return c
}

// multicastTopologies returns the topologies that can be listened to.
func multicastTopologies(config *cluster.Config, args []string) ([]cluster.Topology, error) {
	all, err := pickTopologies(config, args)
	if err != nil {
		return nil, err
	}
	some := slices.DeleteFunc(slices.Clone(all), func(t cluster.Topology) bool { return t.Strategy != multicast.Kind.Name })
	switch {
	case len(some) > 0:
		return some, nil
	case len(args) > 0:
		return nil, failedError(fmt.Errorf("topology %q has the strategy %s; only multicast can be listened to", args[0], all[0].Strategy))
	}
	return nil, failedError(errors.New("the file has no topology with the strategy multicast"))
}

// listenAll listens to all the topologies until ctx is done, then sums up.
func listenAll(ctx context.Context, clusterID string, topologies []cluster.Topology, e *packetPrinter, stderr io.Writer) error {
	errs := make([]error, len(topologies))
	var wg sync.WaitGroup
	for i, t := range topologies {
		wg.Go(func() {
			config, ok := t.Config.Config.(multicast.Config)
			if !ok {
				errs[i] = fmt.Errorf("topology %s: the configuration is a %T", t.Name, t.Config.Config)
				return
			}
			log := hclog.New(&hclog.LoggerOptions{Name: "listen", Level: hclog.Warn, Output: stderr})
			env := strategy.Env{
				Log: log, Topology: t.Name, ClusterID: clusterID,
				Self: func() []peer.Peer { return nil },
				Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
			}
			err := multicast.Listen(ctx, config, env, func(h multicast.Heard) { e.printPacket(t.Name, h) })
			if err != nil && ctx.Err() == nil {
				errs[i] = fmt.Errorf("topology %s: %w", t.Name, err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return failedError(err)
	}
	fmt.Fprintln(stderr, e.countVerdicts())
	return nil
}

// packetPrinter prints each packet received, one line each, and counts the verdicts. It may be used from any goroutine.
type packetPrinter struct {
	as format

	mu       sync.Mutex // guards what follows
	w        io.Writer
	verdicts map[string]int
}

// heardLine is one line of listen -o json.
type heardLine struct {
	At         time.Time `json:"at"`
	Topology   string    `json:"topology"`
	Verdict    string    `json:"verdict"`
	From       string    `json:"from"`
	Interface  string    `json:"interface,omitempty"`
	Family     string    `json:"family"`
	Size       int       `json:"size"`
	Cluster    bool      `json:"cluster"`
	Node       string    `json:"node,omitempty"`
	Addrs      []string  `json:"addrs,omitempty"`
	Generation int64     `json:"generation,omitempty"`
	Seq        uint64    `json:"seq,omitempty"`
	Leave      bool      `json:"leave,omitempty"`
}

func (e *packetPrinter) printPacket(topology string, h multicast.Heard) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.verdicts == nil {
		e.verdicts = make(map[string]int)
	}
	e.verdicts[h.Verdict]++
	if e.as == asJSON {
		_ = json.NewEncoder(e.w).Encode(heardLine{
			h.At, topology, h.Verdict, h.From.String(), h.Interface, h.Family, h.Size,
			h.Cluster, h.Node, h.Addrs, h.Generation, h.Seq, h.Leave,
		})
		return
	}
	what := "heartbeat"
	if h.Leave {
		what = "leave packet"
	}
	if h.Verdict != "accepted" && h.Node == "" {
		what = "packet"
	}
	fmt.Fprintf(e.w, "%s  %s  %-8s  %s of %d bytes from %s (%s)", h.At.Format("15:04:05.000"), topology, h.Verdict, what, h.Size, h.From, orNothing(h.Interface))
	if h.Node != "" || len(h.Addrs) > 0 {
		fmt.Fprintf(e.w, ": %s at %s", escapeText(orNothing(h.Node)), escapeText(strings.Join(h.Addrs, " ")))
	}
	fmt.Fprintln(e.w)
}

// escapeText escapes what a stranger sent, so that it cannot play with the terminal.
func escapeText(s string) string {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return fmt.Sprintf("%q", s)
		}
	}
	return s
}

// countVerdicts returns the number of datagrams for each verdict.
func (e *packetPrinter) countVerdicts() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.verdicts) == 0 {
		return "heard nothing: no node sends here, or something between drops multicast"
	}
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(e.verdicts)) {
		parts = append(parts, fmt.Sprintf("%d %s", e.verdicts[v], v))
	}
	return "heard: " + strings.Join(parts, ", ")
}
