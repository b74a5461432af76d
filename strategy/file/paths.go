package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// isPattern reports whether a path stands for whatever matches it.
func isPattern(path string) bool { return strings.ContainsAny(path, meta) }

// expandPattern returns the files that match a pattern. A directory that cannot be read is an error, where
// [filepath.Glob] takes it for an empty one.
func expandPattern(pattern string) ([]string, error) {
	dir, name := filepath.Dir(pattern), filepath.Base(pattern)
	entries, err := listDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", pattern, err)
	}
	var all []string
	for _, entry := range entries {
		ok, err := filepath.Match(name, entry)
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", pattern, err)
		}
		if ok {
			all = append(all, filepath.Join(dir, entry))
		}
	}
	return all, nil
}

// listDir returns the names in a directory.
func listDir(dir string) ([]string, error) {
	d, err := os.Open(dir) //nolint:gosec // it is the operator's
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(maxEntries + 1)
	if errors.Is(err, io.EOF) { // it is empty
		err = nil
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	if len(names) > maxEntries {
		return nil, fmt.Errorf("the directory has more than %d entries", maxEntries)
	}
	return names, nil
}
