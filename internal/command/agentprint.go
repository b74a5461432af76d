package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/internal/safetext"
)

// printAll asks for a list and prints it as a table.
func printAll[T any](c *cobra.Command, r *agentClient, q call, head string, row func(T) []string) error {
	list, err := ask[[]T](c.Context(), r, q)
	if err != nil {
		return err
	}
	return printList(c, r.as, list, head, row)
}

// printList prints a list as a table.
func printList[T any](c *cobra.Command, as format, list []T, head string, row func(T) []string) error {
	if as == asJSON {
		return failedError(printJSON(c.OutOrStdout(), list))
	}
	s := screenOf(c, as)
	t := tabwriter.NewWriter(s, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for _, v := range list {
		cells := row(v)
		for i := range cells {
			cells[i] = orNothing(s.cell(cells[i]))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return failedError(t.Flush())
}

// displayText makes text of others fit for a line of a terminal: what is not printable is quoted.
func displayText(s string) string {
	if safetext.Printable(s) {
		return s
	}
	return fmt.Sprintf("%q", s)
}

// printLine prints one reply of a watch.
func printLine(w io.Writer, as format, v any, text string) error {
	if as == asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return failedError(e.Encode(v))
	}
	_, err := fmt.Fprintln(w, text)
	return failedError(err)
}

// printDone prints that something was done, for machines too.
func printDone(c *cobra.Command, as format, text string) error {
	return printLine(c.OutOrStdout(), as, struct {
		Done bool `json:"done"`
	}{true}, text)
}
