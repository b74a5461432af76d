//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package disk

import (
	"errors"
	"fmt"
	"io"
	"runtime"
)

// lockFile refuses: two processes on one directory would destroy it.
func lockFile(name string) (io.Closer, error) {
	return nil, fmt.Errorf("lock %s on %s: %w", name, runtime.GOOS, errors.ErrUnsupported)
}

func syncDir(string) error { return errors.ErrUnsupported }

// systemFailures are no more than those of every system; see IsFailing.
var systemFailures []error
