package admin

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// checkOwner returns an error unless the process that listens on a socket may be trusted with a request: any user can make a socket in
// a directory for temporary files before the agent does. The kernel names the user of the process that listens.
func checkOwner(c *net.UnixConn, path string) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *syscall.Ucred
	if control := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); control != nil {
		return control
	}
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	return checkUsers(path, int(cred.Uid), os.Getuid(), ownerOf(dir))
}
