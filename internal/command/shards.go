package command

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
)

func newShards() *cobra.Command {
	return groupOf("shards", "Look at the shards of the groups, and decide where they are held",
		`A group is a number of shards that the members divide among themselves; what elect elects is a group of one.`,
		newShardsList(), newShardsStatus(), newShardsDrain(), newShardsMove(), newShardsPin(), newShardsUnpin())
}

func newShardsList() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "list -c FILE",
		Short: "Print the groups",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return printAll(c, &r, get("shards"), "GROUP\tLEVEL\tSHARDS\tCOPIES\tMEMBERS\tVACANT\tHERE", func(g ops.Group) []string {
				return []string{g.Name, g.Level, strconv.Itoa(g.Shards), strconv.Itoa(g.Copies), strconv.Itoa(g.Members), strconv.Itoa(g.Vacant), strconv.Itoa(g.Here)}
			})
		},
	}
	clientFlags(c, &r)
	return c
}

func newShardsStatus() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "status -c FILE GROUP",
		Short: "Print who holds each shard of a group, and under which token",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			doc, err := ask[ops.GroupDocument](c.Context(), &r, get("shards/"+part(args[0])))
			if err != nil {
				return err
			}
			return printList(c, r.as, doc.Holders, "SHARD\tHOLDER\tTOKEN\tSTANDBYS", func(s ops.Shard) []string {
				return []string{strconv.Itoa(s.Shard), s.Holder, strconv.FormatUint(s.Token, 10), strings.Join(s.Standbys, " ")}
			})
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeGroups(&r, 0)
	return c
}

func newShardsDrain() *cobra.Command {
	var r agentClient
	var undo bool
	c := &cobra.Command{
		Use:   "drain -c FILE GROUP [MEMBER]",
		Short: "Free this node, or a member, of all shards of a group",
		Long: `drain has all shards of a group that this node or a member holds go to others, and gives it none, after its restart
neither, until drain --undo. It returns when that is decided; status shows how many are still held.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			verb, done := ops.PlaceDrain, "drained"
			if undo {
				verb, done = ops.PlaceInclude, "takes part again"
			}
			return r.change(c, place(args[0], verb, 0, optionalPrefix(args[1:])), done)
		},
	}
	clientFlags(c, &r)
	c.Flags().BoolVar(&undo, "undo", false, "let the member hold shards again")
	c.ValidArgsFunction = completeGroups(&r, 1)
	return c
}

func newShardsMove() *cobra.Command {
	return newShardsPlace(ops.PlaceMove, "Hand a shard to a member now, and leave it to the balance from then on",
		`move returns when the member holds the shard: after the function of its holder has returned, so give it a --timeout that
is longer than groups.GROUP.handover.`, "moved")
}

func newShardsPin() *cobra.Command {
	return newShardsPlace(ops.PlacePin, "Fix a shard to a member until unpin",
		`While the member takes no part in the group the shard goes elsewhere; when it does again, it is handed over to it.`, "pinned")
}

// newShardsPlace returns a command that names a shard and a member.
func newShardsPlace(verb, short, long, done string) *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   verb + " -c FILE GROUP SHARD MEMBER",
		Short: short,
		Long:  long,
		Args:  cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			shard, err := shardNumber(args[1])
			if err != nil {
				return err
			}
			return r.change(c, place(args[0], verb, shard, args[2]), done)
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeGroups(&r, 2)
	return c
}

func newShardsUnpin() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "unpin -c FILE GROUP SHARD",
		Short: "Leave a shard that was pinned to the balance again",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			shard, err := shardNumber(args[1])
			if err != nil {
				return err
			}
			return r.change(c, place(args[0], ops.PlacePin, shard, ""), "unpinned")
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeGroups(&r, 0)
	return c
}

// shardNumber reads the number of a shard.
func shardNumber(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("shard %q: want a number from 0", text)
	}
	return int(n), nil
}

// place asks for a decision about a group.
func place(group, verb string, shard int, member string) call {
	return post("shards/"+part(group)+"/"+verb, ops.PlaceRequest{Shard: shard, Member: member})
}
