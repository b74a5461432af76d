package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/ops"
)

func newStatus() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "status [-c FILE]",
		Short: "Print how the running node is, and who has the same state as it",
		Long: `status asks the running agent how its node is: whether it runs, why each topology is whole or not, the links with
their round-trip time, and who leads if there is a quorum, or why there is no leader. It has the agent ask every member that is up whether
their records and shared maps are equal: the same, differing (normal for a moment after a change), or silent for half of --timeout.
Staleness is for how long some neighbour has had another state than this node.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := ask[ops.Document](c.Context(), &r, get("status", "agreement", "true"))
			switch {
			case err != nil:
				return err
			case r.as == asJSON:
				return failedError(printJSON(c.OutOrStdout(), d))
			}
			return failedError(printStatus(screenOf(c, r.as), &d))
		},
	}
	clientFlags(c, &r)
	return c
}

// statusTable is a table of two columns that is printed when it is whole.
type statusTable struct {
	screen
	rows [][2]string
}

func (t *statusTable) row(name, value string) { t.rows = append(t.rows, [2]string{name, value}) }

func printStatus(s screen, d *ops.Document) error {
	t := &statusTable{screen: s}
	t.printNode(d)
	t.printTopologies(d)
	t.printGossip(d)
	t.printLinks(d.Links)
	if q := d.Quorum; q != nil {
		t.row("leader", leaderOf(*q))
		t.row("quorum", quorumLine(*q))
	}
	if d.Node.HTTP != "" {
		t.row("http", d.Node.HTTP)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Counters)) {
		if n := d.Counters[name]; n > 0 {
			t.row(name, fmt.Sprint(n))
		}
	}
	return t.printRows(t.rows)
}

func (t *statusTable) printNode(d *ops.Document) {
	n := d.Node
	t.row("node", displayText(n.Name))
	t.row("state", orNothing(string(n.State)))
	if n.Problem != "" {
		t.row("error", onOneLine(n.Problem))
	}
	t.row("cluster", displayText(d.Cluster))
	t.row("address", orNothing(displayText(string(n.Addr))))
	t.row("connector", n.Connector)
	t.row("security", n.Security)
	if n.CertificateEnd != nil {
		t.row("certificate", "ends "+n.CertificateEnd.Format(time.RFC3339))
	}
	if n.SecurityError != "" {
		t.row("", "changed certificates or keys are not in use: "+onOneLine(n.SecurityError))
	}
	t.row("data_dir", orNothing(n.DataDir))
	if n.DiskFailing {
		t.row("", "cannot be written: what this node has to keep would be lost with the process")
	}
	t.row("uptime", seconds(float64(int(n.Uptime))))
	t.row("formed", yesNo(d.Formed))
}

func (t *statusTable) printTopologies(d *ops.Document) {
	for _, one := range d.Topologies {
		state := "not whole"
		if one.Whole {
			state = "whole"
		}
		t.row("topology "+displayText(one.Name), state+": "+onOneLine(one.Why))
	}
	var members []string
	for _, status := range []gossip.Status{gossip.Up, gossip.Degraded, gossip.Down, gossip.Left} {
		if n := d.Members[status.String()]; n > 0 || status == gossip.Up {
			members = append(members, fmt.Sprintf("%d %v", n, status))
		}
	}
	t.row("members", strings.Join(members, ", "))
}

func (t *statusTable) printGossip(d *ops.Document) {
	g := d.Gossip
	if g == nil {
		return
	}
	t.row("isolated", yesNo(g.Isolated))
	t.row("hash", g.Hash+" (records) "+g.SharedHash+" (shared map)")
	if a := d.Agreement; a != nil {
		t.row("same", t.names(a.Same))
		t.row("differ", t.names(a.Differ))
		t.row("silent", t.names(a.Silent))
	}
	t.row("staleness", seconds(g.Staleness))
	t.row("shared map", fmt.Sprintf("%s, %d of %d bytes", countNoun(g.Shared.Keys, "key", "keys"), g.Shared.Values, g.Shared.Limit))
}

func (t *statusTable) printLinks(links []ops.Link) {
	for _, l := range links {
		rtt := "unknown"
		if l.RTT != nil {
			rtt = time.Duration(*l.RTT * float64(time.Second)).Round(time.Microsecond).String()
		}
		t.row("link "+displayText(l.Peer), fmt.Sprintf("since %s, round trip %s, phi %.1f", l.Since.Local().Format(time.TimeOnly), rtt, l.Phi))
	}
}

// onOneLine makes a sentence of others fit for a terminal, whatever its length.
func onOneLine(s string) string {
	quoted := fmt.Sprintf("%q", s)
	if quoted == `"`+s+`"` {
		return s
	}
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
