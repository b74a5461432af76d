package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
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
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for _, v := range list {
		cells := row(v)
		for i := range cells {
			cells[i] = orNothing(displayText(cells[i]))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return failedError(t.Flush())
}

// shownBytes is how much of a value a table shows.
const shownBytes = 80

// displayText makes text of others fit for a line of a terminal: what is not printable is quoted, what is long is cut.
func displayText(s string) string {
	rest := ""
	if len(s) > shownBytes {
		cut := shownBytes
		for !utf8.RuneStart(s[cut]) && cut > shownBytes-utf8.UTFMax {
			cut--
		}
		s, rest = s[:cut], fmt.Sprintf("... (%d bytes)", len(s))
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		s = fmt.Sprintf("%q", s)
	}
	return s + rest
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
