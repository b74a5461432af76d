package admin

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	maxPath     = 103 // bytes of a socket's path; 104 with the zero at its end are possible everywhere
	maxPart     = 16  // bytes of a name in a socket's own name
	dialTimeout = 2 * time.Second
)

// ErrInUse means that a running agent has the socket.
var ErrInUse = errors.New("an agent that is running has this socket")

// Paths returns where the socket of an agent can be; the agent takes the first. With a data directory that is the only place;
// without, it is below $XDG_RUNTIME_DIR, which not every process of a user has, or the directory for temporary files.
func Paths(dataDir, cluster, node string) []string {
	if dataDir != "" {
		return []string{filepath.Join(dataDir, "admin.sock")}
	}
	var all []string
	for _, dir := range socketDirs() {
		all = append(all, filepath.Join(dir, fileNamePart(cluster)+"@"+fileNamePart(node)+".sock"))
	}
	return all
}

// socketDirs returns the directories of this user for the sockets of agents without a data directory.
func socketDirs() []string {
	var all []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && filepath.Clean(dir) != filepath.Clean(os.TempDir()) {
		all = append(all, filepath.Join(dir, ownDir()))
	}
	return append(all, filepath.Join(os.TempDir(), ownDir()))
}

// fileNamePart makes a name fit to be part of a file's name; a hash distinguishes names that had to be changed.
func fileNamePart(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, name)
	if clean == name && len(name) <= maxPart {
		return name
	}
	return fmt.Sprintf("%.*s~%.4x", maxPart-9, clean, sha256.Sum256([]byte(name)))
}

// checkPath reports a path that the system would not take for a socket.
func checkPath(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("the path of the admin socket has %d bytes, at most %d are possible: %s (take a shorter one)", len(path), maxPath, path)
	}
	return nil
}

// Listen makes a socket with these permissions; one that a dead process left is replaced, that of a running one is [ErrInUse]. Its file is
// the caller's to remove.
func Listen(path string, mode fs.FileMode) (*net.UnixListener, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStaleSocket(path); err != nil {
		return nil, err
	}
	l, err := listenPrivate(path)
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it might be another's by then
	if err := os.Chmod(path, mode); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// ownDir is the directory of a user's sockets, where the directory above belongs to all users.
func ownDir() string { return fmt.Sprintf("convoke-%d", os.Getuid()) }

// makeDir makes the directory of a socket. That of our own name must be this user's alone, or another could have put it there.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if filepath.Base(dir) != ownDir() {
		return nil
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir() || !ownedByUser(info):
		return fmt.Errorf("%s is not a directory of this user: an admin socket there would not be safe", dir)
	}
	return os.Chmod(dir, 0o700)
}

// removeStaleSocket removes the socket of a dead process.
func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is in the way of the admin socket and is not one: take it away", path)
	}
	c, err := net.DialTimeout("unix", path, dialTimeout)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("%s: %w", path, ErrInUse)
	}
	if !isRefused(err) {
		return err // it may be in use
	}
	return os.Remove(path)
}
