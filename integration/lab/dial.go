package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dial returns a function that opens connections from host i; addresses are numeric. A connection stays in the
// network of the host and may be used from any goroutine.
func (l *Lab) Dial(i int) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		type outcome struct {
			conn net.Conn
			err  error
		}
		done := make(chan outcome, 1) // the caller may have stopped waiting
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			if err := l.enter(i); err != nil {
				done <- outcome{err: err}
				return
			}
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			done <- outcome{conn, err}
		}()
		o := <-done
		return o.conn, o.err
	}
}

// enter moves the calling thread into the network of host i.
func (l *Lab) enter(i int) error {
	f, err := os.Open(filepath.Join(netnsDir, l.Host(i)))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", l.Host(i), err)
	}
	return nil
}
