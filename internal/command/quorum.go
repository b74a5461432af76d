package command

import (
	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
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
			q, err := ask[ops.QuorumStatus](c.Context(), &r, get("quorum"))
			switch {
			case err != nil:
				return err
			case r.as == asJSON:
				return failedError(printJSON(c.OutOrStdout(), q))
			}
			return failedError(printQuorum(screenOf(c, r.as), q))
		},
	}
	clientFlags(c, &r)
	return c
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
			return r.change(c, post("quorum/transfer", ops.TransferRequest{To: optionalPrefix(args)}), "transferred")
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeMembers(&r, 0)
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
			return r.change(c, post("quorum/recover", ops.RecoverRequest{Force: force}), "recovered")
		},
	}
	clientFlags(c, &r)
	c.Flags().BoolVar(&force, "force", false, "recover although most voters may still be alive")
	return c
}
