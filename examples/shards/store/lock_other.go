//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package store

import (
	"context"
	"errors"
	"os"
)

// Without flock(2) two processes could not share the file safely, so nothing is written.
func lock(context.Context, *os.File) error { return errors.ErrUnsupported }

func unlock(*os.File) error { return nil }
