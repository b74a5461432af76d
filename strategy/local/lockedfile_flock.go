//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// The name of a registration is never used twice, so a node that removes a dead one cannot remove a fresh one.
// It appears under a temporary name first and is renamed when it is locked and written.
var (
	fileName = regexp.MustCompile(`^node-[0-9]+-[A-Z2-7]{26}\.json$`)
	tempName = regexp.MustCompile(`^\.node-[0-9]+-[A-Z2-7]{26}\.tmp$`)
)

// lockedFile is a registration that is in the directory as long as it is held.
type lockedFile struct {
	file *os.File // locked
	path string
}

// createLocked writes a registration and takes its lock.
func createLocked(dir string, content []byte) (*lockedFile, error) {
	name := "node-" + strconv.Itoa(os.Getpid()) + "-" + rand.Text()
	temp, path := filepath.Join(dir, "."+name+".tmp"), filepath.Join(dir, name+".json")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	if err := publish(f, temp, path, content); err != nil {
		return nil, errors.Join(fmt.Errorf("register: %w", err), f.Close(), removeIfExists(temp))
	}
	return &lockedFile{file: f, path: path}, nil
}

// publish locks the file before it can be seen under its final name.
func publish(f *os.File, temp, path string, content []byte) error {
	if ok, err := tryLock(f, syscall.LOCK_EX); err != nil || !ok {
		return errors.Join(fmt.Errorf("lock %s", temp), err)
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// inPlace reports whether the file can still be found under its name.
func (h *lockedFile) inPlace() bool {
	own, err := h.file.Stat()
	if err != nil {
		return false
	}
	found, err := os.Lstat(h.path)
	return err == nil && os.SameFile(own, found)
}

// release removes the registration, then its lock.
func (h *lockedFile) release() error {
	return errors.Join(removeIfExists(h.path), h.file.Close())
}

// tryLock tries to take a lock and reports whether it did; a lock that another process holds is not an error.
func tryLock(f *os.File, how int) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

// removeIfExists removes a file that may be gone already.
func removeIfExists(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
