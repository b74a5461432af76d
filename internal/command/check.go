package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/strategy/builtin"
)

func (p program) newCheck() *cobra.Command {
	var connectors, callbacks []string
	var as format
	c := &cobra.Command{
		Use:   "check FILE...|-",
		Short: "Report every mistake in topology files, without a network",
		Long: `check reads each file as the agent would and reports every mistake as file:line:col. A setting that
works with a consequence that you may not want, such as answers that are hardly ever complete, is a warning.
The file - is stdin. It asks no network, so it can run anywhere; files that the node names, such as certificates, it reads. Files written for a
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
			return checkFiles(c, as, files, cluster.LoadOptions{
				Strategies: builtin.Registry(), Connectors: known, Connect: callbacks, Disconnect: callbacks, List: callbacks,
			})
		},
	}
	c.Flags().StringSliceVar(&connectors, "connector", nil, "further connector `name` that a file may use (repeatable)")
	c.Flags().StringSliceVar(&callbacks, "callback", nil, "callback `name` that a file may use (repeatable)")
	formatFlag(c, &as)
	return c
}

// checked is what check found out about one file.
type checked struct {
	File       string   `json:"file"`
	OK         bool     `json:"ok"`
	Topologies int      `json:"topologies"`
	Errors     []string `json:"errors"`
	Warnings   []string `json:"warnings"`
}

// checkFiles reports on all files before it fails. The file "-" is stdin.
func checkFiles(c *cobra.Command, as format, files []string, options cluster.LoadOptions) error {
	all := make([]checked, 0, len(files))
	bad := false
	for _, file := range files {
		one := checkFile(c.InOrStdin(), file, options)
		all, bad = append(all, one), bad || !one.OK
		if as == asJSON {
			continue
		}
		for _, line := range append(one.Errors, one.Warnings...) {
			fmt.Fprintln(c.ErrOrStderr(), line)
		}
		if one.OK {
			fmt.Fprintf(c.OutOrStdout(), "%s: ok (%s)\n", file, countNoun(one.Topologies, "topology", "topologies"))
		}
	}
	if as == asJSON {
		if err := printJSON(c.OutOrStdout(), all); err != nil {
			return failedError(err)
		}
	}
	if bad {
		return errReported
	}
	return nil
}

// checkFile checks one file, or what in has for "-".
func checkFile(in io.Reader, file string, options cluster.LoadOptions) checked {
	one := checked{File: file, Errors: []string{}, Warnings: []string{}}
	config, err := loadChecked(in, file, options)
	if err != nil {
		one.Errors = linesOf(err)
		return one
	}
	one.OK, one.Topologies = true, len(config.Topologies)
	if w := config.Warnings(); w != nil {
		one.Warnings = linesOf(w)
	}
	return one
}

func loadChecked(in io.Reader, file string, options cluster.LoadOptions) (*cluster.Config, error) {
	if file != "-" {
		return cluster.Load(file, options)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	return cluster.Parse("-", text, options)
}

// linesOf returns the lines of an error that joins some.
func linesOf(err error) []string { return strings.Split(err.Error(), "\n") }

// countNoun writes a number with its noun.
func countNoun(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
