//go:build unix

package bounded

import "syscall"

// nonblocking keeps the opening of a named pipe from waiting for a writer.
const nonblocking = syscall.O_NONBLOCK
