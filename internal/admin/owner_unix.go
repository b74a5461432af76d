//go:build unix && !linux

package admin

import (
	"net"
	"os"
	"path/filepath"
)

// checkOwner returns an error unless the process that listens on a socket may be trusted with a request: any user can make a socket in
// a directory for temporary files before the agent does. The owners of the socket and of its directory stand for that process.
func checkOwner(_ *net.UnixConn, path string) error {
	socket, err := os.Lstat(path)
	if err != nil {
		return err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if err := checkUsers(path, ownerOf(dir), os.Getuid(), ownerOf(dir)); err != nil {
		return err
	}
	return checkUsers(path, ownerOf(socket), os.Getuid(), ownerOf(dir))
}
