package command

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

func newStatus() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "status -c FILE",
		Short: "Print how the running node is, and who has the same state as it",
		Long: `status asks the running agent how its node is, and has it ask every member that is up whether their
records and shared maps are equal: the same, differing (normal for a moment after a change), or silent for
half of --timeout. Staleness is for how long some neighbour has had another state than this node. With a quorum it prints who leads,
or why there is no leader.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return r.askAgent(c.Context(), admin.Request{Op: "status"}, decodeEach(func(s admin.Status) error {
				if r.as == asJSON {
					return failedError(printJSON(c.OutOrStdout(), s))
				}
				return failedError(printStatus(c.OutOrStdout(), s))
			}))
		},
	}
	clientFlags(c, &r)
	return c
}

func printStatus(w io.Writer, s admin.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(t, "%s\t%s\n", name, value) }
	row("node", s.Node)
	row("cluster", s.Cluster)
	row("connector", s.Connector)
	row("data_dir", orNothing(s.DataDir))
	if s.Error != "" {
		row("error", displayText(s.Error))
	}
	row("formed", yesNo(s.Formed))
	for _, t := range s.Topologies {
		state := "not whole"
		if t.Whole {
			state = "whole"
		}
		row("topology "+t.Name, state+": "+t.Why)
	}
	var members []string
	for _, status := range []gossip.Status{gossip.Up, gossip.Degraded, gossip.Down, gossip.Left} {
		if n := s.Members[status.String()]; n > 0 || status == gossip.Up {
			members = append(members, fmt.Sprintf("%d %v", n, status))
		}
	}
	row("members", strings.Join(members, ", "))
	if a := s.Agreement; a != nil {
		row("isolated", yesNo(s.Isolated))
		row("hash", s.Hash+" (records) "+s.Shared+" (shared map)")
		row("same", joinNames(a.Same))
		row("differ", joinNames(a.Differ))
		row("silent", joinNames(a.Silent))
		row("staleness", s.Staleness.Round(time.Millisecond).String())
	}
	if q := s.Quorum; q != nil {
		row("leader", leaderOf(*q))
		row("quorum", quorumLine(*q))
	}
	if s.HTTP != "" {
		row("http", s.HTTP)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Counters)) {
		if n := s.Counters[name]; n > 0 {
			row(name, fmt.Sprint(n))
		}
	}
	return t.Flush()
}

// joinNames writes names in one line.
func joinNames(all []string) string {
	var safe []string
	for _, n := range all {
		safe = append(safe, displayText(n))
	}
	return orNothing(strings.Join(safe, " "))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
