// Command clidocs writes the manual pages of convoke and its completions for shells into a directory: man1/*.1, completions/convoke.bash,
// completions/_convoke and completions/convoke.fish.
//
//	clidocs DIR VERSION UNIXTIME
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/internal/command"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "clidocs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("want DIR VERSION UNIXTIME")
	}
	seconds, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return fmt.Errorf("time: %w", err)
	}
	root, err := command.Root("convoke", gossip.Kind)
	if err != nil {
		return err
	}
	if err := writeManual(root, filepath.Join(args[0], "man1"), args[1], time.Unix(seconds, 0).UTC()); err != nil {
		return err
	}
	return writeCompletions(root, filepath.Join(args[0], "completions"))
}

// writeManual writes a page for each command. Its date is that of the release, so that two builds are the same.
func writeManual(root *cobra.Command, dir, version string, date time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	disableFooter(root)
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "convoke " + version, Manual: "Convoke", Date: &date}, dir)
}

// disableFooter leaves out the line of the generator.
func disableFooter(c *cobra.Command) {
	c.DisableAutoGenTag = true
	for _, sub := range c.Commands() {
		disableFooter(sub)
	}
}

func writeCompletions(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		root.GenBashCompletionFileV2(filepath.Join(dir, "convoke.bash"), true),
		root.GenZshCompletionFile(filepath.Join(dir, "_convoke")),
		root.GenFishCompletionFile(filepath.Join(dir, "convoke.fish"), true),
	)
}
