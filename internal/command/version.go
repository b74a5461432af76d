package command

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return printVersion(c) },
	}
}

// printVersion prints the build of this program.
func printVersion(c *cobra.Command) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), versionLine(info))
	return failedError(err)
}

// versionLine returns one line: the module version, the commit and the Go version, as far as they are known.
func versionLine(info *debug.BuildInfo) string {
	line := "convoke " + orUnknown(info.Main.Version)
	settings := make(map[string]string, len(info.Settings))
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if rev := settings["vcs.revision"]; rev != "" {
		line += " commit " + rev[:min(len(rev), 12)]
		if settings["vcs.modified"] == "true" {
			line += " (modified)"
		}
	}
	return line + " " + orUnknown(info.GoVersion)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
