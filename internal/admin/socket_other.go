//go:build !unix

package admin

import (
	"errors"
	"io/fs"
	"net"
	"syscall"
)

// ownedByUser returns true: on this system the directories of a user belong to that user.
func ownedByUser(fs.FileInfo) bool { return true }

// isRefused knows the number of Winsock's error of that name.
func isRefused(err error) bool { return errors.Is(err, syscall.Errno(10061)) }

func listenPrivate(path string) (*net.UnixListener, error) {
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

// checkOwner has nothing to check here: the directories of a user are the user's.
func checkOwner(*net.UnixConn, string) error { return nil }
