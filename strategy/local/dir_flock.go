//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package local

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// openDir makes sure of the directory of one cluster and returns its path.
func openDir(configured, cluster string) (string, error) {
	dir := configured
	if dir == "" {
		dir = defaultDir()
	}
	if err := checkPrivate(dir); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(cluster))
	sub := filepath.Join(dir, hex.EncodeToString(sum[:16]))
	return sub, checkPrivate(sub)
}

func defaultDir() string {
	if run := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		return filepath.Join(run, "convoke")
	}
	return filepath.Join(os.TempDir(), "convoke-"+strconv.Itoa(os.Getuid()))
}

// checkPrivate makes dir if it is missing, and refuses one in which another user could write: a user that
// can write there decides whom this node connects to.
func checkPrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of registrations: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at the directory of registrations: %w", err)
	}
	refuse := func(why string) error {
		return fmt.Errorf("directory of registrations %s %s; remove it or choose another with dir", dir, why)
	}
	if !info.IsDir() {
		return refuse("is not a directory itself (a link?)")
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("directory of registrations: the platform does not report its owner")
	}
	if uid := os.Getuid(); int64(stat.Uid) != int64(uid) {
		return refuse(fmt.Sprintf("belongs to user %d, not to %d", stat.Uid, uid))
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return refuse(fmt.Sprintf("has mode %#o, so that others can write to it", perm))
	}
	return nil
}
