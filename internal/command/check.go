package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/strategy/builtin"
)

func (p program) newCheck() *cobra.Command {
	var connectors, callbacks []string
	c := &cobra.Command{
		Use:   "check FILE...",
		Short: "Report every mistake in topology files, without a network",
		Long: `check reads each file as the agent would and reports every mistake as file:line:col. A setting that
works with a consequence that you may not want, such as answers that are hardly ever complete, is a warning.
It asks no network, so it can run anywhere; files that the node names, such as certificates, it reads. Files written for a
program of one's own may name connectors and callbacks that the agent lacks: name them with --connector and --callback. Of such
a connector it is assumed that it honours none of node.zone, version, data_dir, forget_after, tls, keys, quorum and groups.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			var own []connector.Kind
			for _, name := range connectors {
				own = append(own, connector.Own(name))
			}
			known, err := p.connectors.With(own...)
			if err != nil {
				return fmt.Errorf("--connector: %w", err)
			}
			return checkFiles(c, files, cluster.LoadOptions{
				Strategies: builtin.Registry(), Connectors: known, Connect: callbacks, Disconnect: callbacks, List: callbacks,
			})
		},
	}
	c.Flags().StringSliceVar(&connectors, "connector", nil, "further connector `name` that a file may use (repeatable)")
	c.Flags().StringSliceVar(&callbacks, "callback", nil, "callback `name` that a file may use (repeatable)")
	return c
}

// checkFiles reports on all files before it fails.
func checkFiles(c *cobra.Command, files []string, options cluster.LoadOptions) error {
	var bad bool
	for _, file := range files {
		config, err := cluster.Load(file, options)
		if err != nil {
			fmt.Fprintln(c.ErrOrStderr(), err)
			bad = true
			continue
		}
		if w := config.Warnings(); w != nil {
			fmt.Fprintln(c.ErrOrStderr(), w)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: ok (%s)\n", file, countNoun(len(config.Topologies), "topology", "topologies"))
	}
	if bad {
		return errReported
	}
	return nil
}

// countNoun writes a number with its noun.
func countNoun(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
