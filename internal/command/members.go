package command

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
)

func newMembers() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "members -c FILE",
		Short: "Print the members, as the running agent sees them",
		Long: `members asks the running agent for all members that it knows: up, degraded (up, with less than half of
its links), down or left. Links are those that both ends publish; phi is the suspicion on this node's own
link to the member as it is now, 0 to 100 and 0 without one. With memberlist and serf only those that are up are known.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return printAll(c, &r, get("members"), "NAME\tSTATUS\tADDRESS\tLINKS\tPHI\tKEYS", func(m ops.Member) []string {
				return []string{m.Name, m.Status, string(m.Addr), strconv.Itoa(m.Links), fmt.Sprintf("%.1f", m.Phi), strconv.Itoa(m.Keys)}
			})
		},
	}
	clientFlags(c, &r)
	return c
}
