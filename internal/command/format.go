package command

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// format is how a command prints; it is the value of the flag -o.
type format string

const (
	asText format = "text"
	asWide format = "wide" // as text, but nothing is cut to the width of a terminal
	asJSON format = "json"
)

func (f *format) String() string { return string(*f) }

// Type names the values in the help.
func (f *format) Type() string { return "text|wide|json" }

// Set accepts "text", "wide" and "json".
func (f *format) Set(s string) error {
	switch v := format(s); v {
	case asText, asWide, asJSON:
		*f = v
		return nil
	}
	return fmt.Errorf("want text, wide or json")
}

// formatFlag adds the flag -o to a command.
func formatFlag(c *cobra.Command, f *format) {
	*f = asText
	c.Flags().VarP(f, "output", "o", "how to print")
}

// printJSON prints v indented, with a newline.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
