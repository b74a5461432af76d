//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package store

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// retryLock is the time between two attempts to lock the file; a write holds it for microseconds.
const retryLock = time.Millisecond

// lock takes flock(2), which the kernel gives back when the process ends, however it ends. It waits until ctx ends.
func lock(ctx context.Context, f *os.File) error {
	retry := time.NewTicker(retryLock)
	defer retry.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-retry.C:
		}
	}
}

func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
