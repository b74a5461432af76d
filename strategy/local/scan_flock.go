//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	maxFiles = 4096        // files looked at in one round
	tempAge  = time.Minute // a temporary file without a lock is dead after this
)

// scanRegistrations returns the living registrations of a directory and removes the dead ones. Files that it cannot
// make sense of are named in the error; the registrations are those of the others.
func scanRegistrations(dir, cluster string) ([]registration, error) {
	names, err := listNames(dir)
	var errs []error
	if err != nil {
		errs = append(errs, err)
	}
	var alive []registration
	for _, name := range names {
		path := filepath.Join(dir, name)
		switch {
		case tempName.MatchString(name):
			err = removeStale(path)
		case strings.HasSuffix(name, ".json"):
			var reg registration
			var ok bool
			if reg, ok, err = readRegistration(path, fileName.MatchString(name)); ok && reg.Cluster == cluster {
				alive = append(alive, reg)
			}
		default:
			continue // not a registration and left alone
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("registration %s: %w", path, err))
		}
	}
	return alive, errors.Join(errs...)
}

// listNames returns the names in a directory, at most maxFiles.
func listNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("list registrations: %w", err)
	}
	defer func() { _ = d.Close() }() // nothing was written
	names, err := d.Readdirnames(maxFiles + 1)
	switch {
	case len(names) > maxFiles:
		return names[:maxFiles], fmt.Errorf("list registrations: %s holds more than %d files", dir, maxFiles)
	case len(names) > 0:
		return names, nil
	case err == nil || errors.Is(err, io.EOF):
		return nil, nil
	}
	return nil, fmt.Errorf("list registrations: %w", err)
}

// readRegistration reads one registration. It returns false without an error for one whose owner is dead, which it
// removes, and for one that vanished meanwhile.
func readRegistration(path string, named bool) (reg registration, ok bool, err error) {
	f, free, err := openAndTryLock(path)
	if f == nil {
		return registration{}, false, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	switch {
	case err != nil:
		return registration{}, false, err
	case free && !named:
		return registration{}, false, errors.New("its lock is free and its name is not that of a registration; remove it")
	case free:
		return registration{}, false, removeIfSame(f, path)
	}
	reg, err = parseRegistration(f)
	return reg, err == nil, err
}

// removeStale removes a temporary file whose writer died before it was done.
func removeStale(path string) error {
	f, free, err := openAndTryLock(path)
	if f == nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	if err != nil || !free {
		return err
	}
	info, err := f.Stat()
	if err != nil || time.Since(info.ModTime()) < tempAge {
		return err
	}
	return removeIfSame(f, path)
}

// openAndTryLock opens a file and reports whether its lock is free; if so, it is held by f from now on,
// shared with other processes that probe. The file is nil if there is none any more.
func openAndTryLock(path string) (f *os.File, free bool, err error) {
	f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	info, err := f.Stat()
	if err != nil {
		return f, false, err
	}
	if !info.Mode().IsRegular() {
		return f, false, errors.New("not a regular file; remove it")
	}
	free, err = tryLock(f, syscall.LOCK_SH)
	return f, free, err
}

// removeIfSame removes the file of a dead owner, provided that the path still leads to it.
func removeIfSame(f *os.File, path string) error {
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	found, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !os.SameFile(opened, found) {
		return nil // replaced meanwhile: it is judged in the next round
	}
	return removeIfExists(path)
}
