package command

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/peer"
)

func newJoin() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "join -c FILE ADDR...",
		Short: "Have the running agent call nodes by hand",
		Long: `join has the running agent call each host:port. One node that answers is enough: it brings the others.
It exits with 1 if any of them could not be joined.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, addrs []string) error { return joinNodes(c, &r, addrs) },
	}
	clientFlags(c, &r)
	return c
}

func joinNodes(c *cobra.Command, r *agentClient, addrs []string) error {
	for _, addr := range addrs {
		if _, err := peer.Addr(addr); err != nil {
			return err
		}
	}
	list, err := ask[[]ops.Joined](c.Context(), r, post("join", ops.JoinRequest{Addrs: addrs}))
	if err != nil {
		return err
	}
	bad := false
	for _, j := range list {
		text := j.Addr + ": joined"
		if j.Error != "" {
			bad, text = true, j.Addr+": "+j.Error
		}
		if err := printLine(c.OutOrStdout(), r.as, j, text); err != nil {
			return err
		}
	}
	if bad {
		return errReported
	}
	return nil
}

func newLeave() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "leave -c FILE",
		Short: "Have the running agent leave its clusters and end",
		Long: `leave has the running agent leave its clusters and end, as SIGTERM does. Whatever starts it again,
such as systemd, brings it back.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return r.change(c, post("leave", nil), "left")
		},
	}
	clientFlags(c, &r)
	return c
}

func newRemove() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "remove -c FILE NAME",
		Short: "Take a member out of the cluster for good",
		Long: `remove takes a member out of the cluster, whether it is up or not: its agent ends with 1 as soon as it hears
of it, and comes back only when it is started with --rejoin. To end this node itself, use leave.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.change(c, callOf(http.MethodDelete, "members/"+part(args[0]), nil), "removed "+displayText(args[0]))
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeMembers(&r, 0)
	return c
}
