package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// isPattern reports whether a path stands for whatever matches it.
func isPattern(path string) bool { return strings.ContainsAny(path, `*?[`) }

// expand returns the files that match a pattern. A directory that cannot be read is an error, where
// [filepath.Glob] takes it for an empty one; what could be read is returned beside it.
func expand(pattern string) ([]string, error) {
	dir, name := filepath.Split(pattern)
	switch {
	case dir == "":
		dir = "."
	case len(dir) > len(filepath.VolumeName(dir))+1: // not the root
		dir = dir[:len(dir)-1]
	}
	if !isPattern(dir) {
		return match(dir, name)
	}
	dirs, err := expand(dir)
	errs := []error{err}
	var all []string
	for _, d := range dirs {
		if info, err := os.Stat(d); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			continue // gone meanwhile, or a file beside the directories
		}
		found, err := match(d, name)
		all, errs = append(all, found...), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// match returns the entries of a directory that match one element of a pattern.
func match(dir, name string) ([]string, error) {
	if !isPattern(name) {
		path := filepath.Join(dir, name)
		_, err := os.Lstat(path)
		switch {
		case err == nil:
			return []string{path}, nil
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		}
		return nil, fmt.Errorf("look for %s: %w", path, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", filepath.Join(dir, name), err)
	}
	var all []string
	for _, e := range entries {
		ok, err := filepath.Match(name, e.Name())
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", filepath.Join(dir, name), err)
		}
		if ok {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	return all, nil
}
