package command

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/internal/admin"
)

// groupOf returns a command that has commands below it.
func groupOf(use, short, long string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:                        use,
		Short:                      short,
		Long:                       long,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE:                       func(c *cobra.Command, args []string) error { return withoutCommand(c, args) },
	}
	c.AddCommand(below...)
	return c
}

func newQuorum() *cobra.Command {
	return groupOf("quorum", "Look after the voters and the leader of the cluster",
		`The quorum elects a leader, which gives out shards and orders the writes of the map. It needs the section quorum in the file.`,
		newQuorumStatus(), newQuorumTransfer(), newQuorumRecover())
}

func newQuorumStatus() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "status -c FILE",
		Short: "Print the leader or why there is none, the voters, and who takes part",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return r.askAgent(c.Context(), admin.Request{Op: "quorum status"}, decodeEach(func(q admin.Quorum) error {
				if r.as == asJSON {
					return failedError(printJSON(c.OutOrStdout(), q))
				}
				return failedError(printQuorum(c.OutOrStdout(), q))
			}))
		},
	}
	clientFlags(c, &r)
	return c
}

// printQuorum prints a status as a table.
func printQuorum(w io.Writer, q admin.Quorum) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(t, "%s\t%s\n", name, value) }
	row("leader", leaderOf(q))
	row("term", fmt.Sprint(q.Term))
	row("birth", orNothing(q.Birth))
	for _, text := range []struct{ name, value string }{{"problem", q.Problem}, {"conflict", q.Conflict}} {
		if text.value != "" {
			row(text.name, displayText(text.value))
		}
	}
	row("this node", q.Member+": "+roleOf(q))
	row("log", fmt.Sprintf("%d committed, %d applied, %s", q.Commit, q.Applied, onDisk(q.Disk)))
	heard := "never"
	if q.Age != nil {
		heard = seconds(*q.Age) + " ago"
	}
	row("lease", fmt.Sprintf("%s left, the leader last sent something %s", seconds(q.Lease), heard))
	row("voters", fmt.Sprintf("%d of %d wanted%s", votersOf(q), q.Wanted, changing(q.Changing)))
	for _, v := range q.Voters {
		row("voter "+displayText(v.Name), voterState(v))
	}
	for _, s := range q.Sessions {
		row("member "+displayText(s.Member), sessionState(s))
	}
	return t.Flush()
}

// leaderOf returns who leads, or why there is no leader.
func leaderOf(q admin.Quorum) string {
	if q.Leader == "" {
		return "none: " + displayText(q.Why)
	}
	return displayText(q.Leader)
}

// quorumLine sums a status up.
func quorumLine(q admin.Quorum) string {
	vacant, held := 0, 0
	for _, g := range q.Groups {
		vacant, held = vacant+g.Vacant, held+g.Here
	}
	text := fmt.Sprintf("%s, %d of %d voters, %s here, %d without a holder", roleOf(q), votersOf(q), q.Wanted, countNoun(held, "shard", "shards"), vacant)
	if q.Problem != "" {
		text += "; " + displayText(q.Problem)
	}
	return text
}

func roleOf(q admin.Quorum) string {
	if q.Draining {
		return q.Role + ", giving up its shards"
	}
	return q.Role
}

func onDisk(disk bool) string {
	if disk {
		return "on disk"
	}
	return "in memory: another voter after each start, set node.data_dir"
}

func changing(is bool) string {
	if is {
		return ", one is being replaced"
	}
	return ""
}

// votersOf counts those that vote.
func votersOf(q admin.Quorum) (n int) {
	for _, v := range q.Voters {
		if !v.Learner {
			n++
		}
	}
	return n
}

func voterState(v admin.Voter) string {
	state := []string{v.ID}
	if v.Learner {
		state = append(state, "gets the log and does not vote yet")
	}
	if v.Leaving {
		state = append(state, "is being replaced")
	}
	if v.Match > 0 {
		state = append(state, fmt.Sprintf("has the log up to %d", v.Match))
	}
	if v.Silent > 0 {
		state = append(state, "silent for "+seconds(v.Silent))
	}
	return strings.Join(state, ", ")
}

func sessionState(s admin.Session) string {
	held := 0
	for _, n := range s.Holds {
		held += n
	}
	text := "holds " + countNoun(held, "shard", "shards")
	if s.Zone != "" {
		text += ", zone " + displayText(string(s.Zone))
	}
	if s.Draining {
		text += ", gives them up"
	}
	return text
}

// seconds writes a number of seconds as a duration.
func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

func newQuorumTransfer() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "transfer -c FILE [NAME]",
		Short: "Hand leadership to another voter, or to the one of that name",
		Long: `transfer has the leader of the quorum hand over to another voter, before its host is taken down for instance. Who holds
which shard does not change by it.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q := admin.Request{Op: "quorum transfer"}
			if len(args) == 1 {
				q.Member = args[0]
			}
			if err := r.askAgent(c.Context(), q, ignoreReply); err != nil {
				return err
			}
			return printDone(c, r.as, "transferred")
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeFrom(&r, admin.Request{Op: "members"}, func(m admin.Member) string { return m.Name })
	return c
}

func newQuorumRecover() *cobra.Command {
	var r agentClient
	var force bool
	c := &cobra.Command{
		Use:   "recover -c FILE [--force]",
		Short: "Go on with this node's log after most voters are lost for good",
		Long: `recover makes this node the only voter of a new quorum that has what its log has: for the case that more than half
of the voters are lost for good. Take the lost ones out of the cluster first (convoke remove), and run it at the
node whose status shows the greatest number of committed entries; what only the lost ones had is lost.
It is refused while most voters may still be alive. With --force it is not, and if they are alive the cluster has two
quorums, and shards two holders, until they meet.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := r.askAgent(c.Context(), admin.Request{Op: "quorum recover", Force: force}, ignoreReply); err != nil {
				return err
			}
			return printDone(c, r.as, "recovered")
		},
	}
	clientFlags(c, &r)
	c.Flags().BoolVar(&force, "force", false, "recover although most voters may still be alive")
	return c
}
