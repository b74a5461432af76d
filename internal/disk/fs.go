package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// FS is what a store asks of a file system. All names are paths.
type FS interface {
	// Mkdir makes a directory with its parents, readable by the owner alone, and makes that durable. One
	// that exists is left as it is.
	Mkdir(dir string) error
	// Lock makes a file and holds it against every other Lock, of this process or another, until it is
	// closed or the process ends. It does not wait: one that is held is an error that wraps ErrLocked.
	Lock(name string) (io.Closer, error)
	// Names returns the names in a directory, in any order.
	Names(dir string) ([]string, error)
	// Open opens a file for reading and returns its size in bytes.
	Open(name string) (io.ReadCloser, int64, error)
	// Create makes a file for writing, or empties it.
	Create(name string) (File, error)
	// Rename replaces what has the new name in one step.
	Rename(from, to string) error
	// Remove removes a file. That there is none is an error that wraps fs.ErrNotExist.
	Remove(name string) error
	// SyncDir makes durable what was created, renamed and removed in a directory.
	SyncDir(dir string) error
}

// File is a file being written from its beginning on.
type File interface {
	io.WriteCloser
	// Sync makes durable what was written. After an error nothing is known of what was written.
	Sync() error
}

// ErrLocked means that another process holds the directory, or another store of this one.
var ErrLocked = errors.New("held by another process")

// IsFailing reports whether an error is that of a disk that is full, read-only or broken, which may pass, and not one of how it is
// used.
func IsFailing(err error) bool {
	return slices.ContainsFunc(failures, func(f error) bool { return errors.Is(err, f) })
}

var failures = append([]error{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.ENXIO, syscall.ENODEV, syscall.ESTALE, syscall.ETIMEDOUT,
}, systemFailures...)

// System is the file system of the operating system.
var System FS = system{}

type system struct{}

// Mkdir makes one directory after the other and syncs the parent of each: a directory is durable only when every entry on the way
// to it is, which os.MkdirAll leaves open.
func (s system) Mkdir(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return &os.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := s.Mkdir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return s.SyncDir(parent)
}

func (system) Lock(name string) (io.Closer, error) { return lockFile(name) }

func (system) Names(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

func (system) Open(name string) (io.ReadCloser, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func (system) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (system) Rename(from, to string) error { return os.Rename(from, to) }

func (system) Remove(name string) error { return os.Remove(name) }

func (system) SyncDir(dir string) error { return syncDir(dir) }
