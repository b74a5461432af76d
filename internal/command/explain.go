package command

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/cluster"
)

func newExplain() *cobra.Command {
	var path string
	var as format
	c := &cobra.Command{
		Use:   "explain -c FILE",
		Short: "Print every setting, its value and where it comes from",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := inspectFile(path)
			if err != nil {
				return err
			}
			return failedError(explain(c.OutOrStdout(), config.Explain(), as))
		},
	}
	configFlag(c, &path)
	formatFlag(c, &as)
	return c
}

// setting is one line of explain -o json.
type setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func explain(w io.Writer, all []cluster.Setting, as format) error {
	if as == asJSON {
		lines := make([]setting, 0, len(all))
		for _, s := range all {
			lines = append(lines, setting{s.Key, s.Value, s.Origin})
		}
		return printJSON(w, lines)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tVALUE\tORIGIN")
	for _, s := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Key, orNothing(s.Value), s.Origin)
	}
	return t.Flush()
}

// orNothing makes an empty cell of a table visible.
func orNothing(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
