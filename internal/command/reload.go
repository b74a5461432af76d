package command

import "github.com/spf13/cobra"

func newReload() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "reload [-c FILE]",
		Short: "Have the running agent read its file again",
		Long: `reload has the agent read its file again, as SIGHUP does, and exits with 1 and the mistakes if there are any: then nothing has
changed. Settings of node, quorum, groups and http take effect at the next start.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return r.change(c, post("reload", nil), "reloaded") },
	}
	clientFlags(c, &r)
	return c
}
